"""The rules, natively. `cargo xtask test` runs it; by hand: see README.md."""

import unittest
from datetime import datetime

from componentize_py_types import Err
from midge import testing
from wit_world.exports.authn import Verdict_Deny, Verdict_Next

from plugin import Authn, Lifecycle

WEEK = {
    "utc_offset": "+01:00",
    "holidays": ["2026-12-25"],
    "rules": [
        {"users": ["*-guard"], "days": "mon-sun", "from": "22:00", "until": "06:00"},
        {"users": ["*-contractor"], "days": "mon-fri", "from": "08:00", "until": "18:00"},
    ],
}


class Hours(unittest.TestCase):
    """What a user hears at a time in UTC."""

    def start(self, config):
        testing.broker.config = config
        return Lifecycle().init(None)

    def ask(self, user, moment):
        testing.broker.now = int(datetime.fromisoformat(f"{moment}+00:00").timestamp() * 1000)
        return Authn().authenticate(testing.credentials(user), None).verdict

    def test_users_of_a_rule_are_refused_outside_its_times(self):
        self.start(WEEK)
        self.assertEqual(self.ask("anna-contractor", "2026-11-30T07:00"), Verdict_Next())
        self.assertEqual(self.ask("anna-contractor", "2026-11-30T16:59"), Verdict_Next())
        for closed in ("2026-11-30T06:59", "2026-11-30T17:00", "2026-11-28T12:00"):
            refused = self.ask("anna-contractor", closed)
            self.assertIsInstance(refused, Verdict_Deny, closed)
            self.assertEqual(refused.value.reason, "let in mon-fri 08:00 to 18:00")

    def test_a_night_belongs_to_the_day_on_which_it_began(self):
        self.start({"rules": [{"days": "fri", "from": "22:00", "until": "06:00"}]})
        self.assertEqual(self.ask("x", "2026-11-27T23:00"), Verdict_Next())
        self.assertEqual(self.ask("x", "2026-11-28T05:00"), Verdict_Next())
        self.assertIsInstance(self.ask("x", "2026-11-28T23:00"), Verdict_Deny)
        self.assertIsInstance(self.ask("x", "2026-11-27T05:00"), Verdict_Deny)

    def test_who_has_no_rule_is_somebody_elses(self):
        self.start(WEEK)
        self.assertEqual(self.ask("bob", "2026-11-30T03:00"), Verdict_Next())
        self.assertEqual(self.ask(None, "2026-11-30T03:00"), Verdict_Next())

    def test_a_holiday_is_closed(self):
        self.start(WEEK)
        self.assertEqual(self.ask("anna-contractor", "2026-12-25T10:00").value.reason, "2026-12-25 is a holiday")

    def test_a_bad_config_is_refused_in_its_own_words(self):
        for config, words in (
            ({}, "rules is empty"),
            ({"rule": []}, "unknown key rule; there are rules, utc_offset, holidays"),
            ({"rules": [{"days": "mon-fry"}]}, "rules[0].days: 'mon-fry' is no day"),
            ({"rules": [{"from": "8 am"}]}, "rules[0].from: '8 am' is no time"),
            ({"rules": [{}], "utc_offset": "Berlin"}, "utc_offset: 'Berlin' is no offset"),
            ({"rules": [{}], "holidays": ["Xmas"]}, "holidays: 'Xmas' is no day"),
        ):
            with self.assertRaises(Err) as refused:
                self.start(config)
            self.assertIn(words, refused.exception.value)


if __name__ == "__main__":
    unittest.main()
