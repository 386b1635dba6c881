"""Lets users in at certain times only; who they are is another plugin's business."""

from datetime import date, datetime, time, timedelta, timezone
from fnmatch import fnmatchcase
from typing import Any

import midge
from midge import Failed, Reason
from midge.authn import Answer, Authenticator
from midge.lifecycle import Lifecycle as Base

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


class Rule:
    """The times at which some users are let in."""

    def __init__(self, number: int, given: dict[str, Any]) -> None:
        where = f"rules[{number}]"
        unknown = set(given) - {"users", "days", "from", "until"}
        if unknown:
            raise Failed(f"{where}: unknown key {min(unknown)}; there are users, days, from, until")
        self.users: list[str] = given.get("users", ["*"])
        self.days = days_of(f"{where}.days", given.get("days", "mon-sun"))
        self.begin = time_of(f"{where}.from", given.get("from", "00:00"))
        self.end = time_of(f"{where}.until", given.get("until", "24:00"))
        self.words = f"{given.get('days', 'mon-sun')} {given.get('from', '00:00')} to {given.get('until', '24:00')}"

    def is_about(self, user: str) -> bool:
        """Whether this rule decides on a user."""
        return any(fnmatchcase(user, pattern) for pattern in self.users)

    def has(self, moment: datetime) -> bool:
        """Whether a moment is in the times. A night that ends on the next day counts as the day on which it began."""
        minutes = moment.hour * 60 + moment.minute
        today, yesterday = moment.weekday(), (moment.weekday() - 1) % 7
        if self.begin < self.end:
            return today in self.days and self.begin <= minutes < self.end
        return (today in self.days and minutes >= self.begin) or (yesterday in self.days and minutes < self.end)


class Hours:
    """The whole config."""

    def __init__(self, given: dict[str, Any]) -> None:
        unknown = set(given) - {"rules", "utc_offset", "holidays"}
        if unknown:
            raise Failed(f"unknown key {min(unknown)}; there are rules, utc_offset, holidays")
        self.zone = zone_of(given.get("utc_offset", "+00:00"))
        self.rules = [Rule(number, rule) for number, rule in enumerate(given.get("rules", []))]
        self.holidays = {day_of(day) for day in given.get("holidays", [])}
        if not self.rules:
            raise Failed("rules is empty: the plugin would have nothing to say")

    def refusal(self, user: str, now: datetime) -> str | None:
        """Why a user is not let in now, if so."""
        rule = next((rule for rule in self.rules if rule.is_about(user)), None)
        if rule is None:
            return None
        local = now.astimezone(self.zone)
        if local.date() in self.holidays:
            return f"{local.date()} is a holiday"
        return None if rule.has(local) else f"let in {rule.words}"


def days_of(where: str, text: str) -> set[int]:
    """The days in a text such as "mon-fri,sun"."""
    days: set[int] = set()
    for part in text.split(","):
        first, _, last = part.strip().partition("-")
        if first not in DAYS or (last or first) not in DAYS:
            raise Failed(f"{where}: {part.strip()!r} is no day; days are {', '.join(DAYS)}, as in \"mon-fri,sun\"")
        begin, end = DAYS.index(first), DAYS.index(last or first)
        days |= {day % 7 for day in range(begin, end + 1 if end >= begin else end + 8)}
    return days


def time_of(where: str, text: str) -> int:
    """Minutes since midnight."""
    try:
        if text == "24:00":
            return 24 * 60
        parsed = time.fromisoformat(text)
    except ValueError:
        raise Failed(f"{where}: {text!r} is no time; times are \"00:00\" to \"24:00\"") from None
    return parsed.hour * 60 + parsed.minute


def zone_of(text: str) -> timezone:
    """The offset from UTC; a component has no table of time zones."""
    try:
        hours, minutes = text[1:].split(":")
        offset = timedelta(hours=int(hours), minutes=int(minutes))
        return timezone(-offset if text.startswith("-") else offset)
    except ValueError:
        raise Failed(f"utc_offset: {text!r} is no offset, such as \"+01:00\"") from None


def day_of(text: str) -> date:
    """A day of the calendar."""
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise Failed(f"holidays: {text!r} is no day, such as \"2026-12-25\"") from None


class Lifecycle(Base):
    """Reads the config; Python's own words would be of little use to an operator."""

    def start(self, environment: Any) -> None:
        """Refuses a config that is wrong."""
        Authn.hours = Hours(midge.config())


class Authn(Authenticator):
    """Refuses who comes at the wrong time, and leaves everybody else to the next authenticator."""

    hours: Hours

    def authenticate(self, credentials: Any, connect: Any) -> Any:
        """Decides by the user name and the broker's clock."""
        now = datetime.fromtimestamp(midge.now() / 1000, timezone.utc)
        refusal = self.hours.refusal(credentials.username or "", now)
        return Answer.next() if refusal is None else Answer.deny(refusal, Reason.NOT_AUTHORIZED)
