"""The hook `messages`: change, drop, multiply or refuse messages before they are routed."""

from wit_world.exports import messages as _messages
from wit_world.exports.messages import (
    Action_Drop,
    Action_Keep,
    Action_Refuse,
    Action_Replace,
    Action_ReplaceWithMany,
)
from wit_world.imports.types import Inbound, Message, Refusal

from midge import Reason
from midge._hook import Hook

__all__ = ["Action", "Inbound", "Message", "Messages"]


class Action:
    """What becomes of a message."""

    @staticmethod
    def keep() -> _messages.Action:
        """Route it as it is."""
        return Action_Keep()

    @staticmethod
    def replace(message: Message) -> _messages.Action:
        """Route this instead."""
        return Action_Replace(message)

    @staticmethod
    def replace_with_many(messages: list[Message]) -> _messages.Action:
        """Route these instead, in order."""
        return Action_ReplaceWithMany(messages)

    @staticmethod
    def drop() -> _messages.Action:
        """Route nothing, but acknowledge it."""
        return Action_Drop()

    @staticmethod
    def refuse(reason: str | None, code: int = Reason.NOT_AUTHORIZED) -> _messages.Action:
        """Route nothing; the code goes into PUBACK or PUBREC."""
        return Action_Refuse(Refusal(code, reason))


class Messages(Hook):
    """Decides what becomes of published messages. Derive `Messages` from it."""

    def on_publish(self, batch: list[Inbound]) -> list[_messages.Action]:
        """One action for each message, in order. Write `on_message` instead unless a batch is cheaper than its messages."""
        return [self.on_message(inbound) for inbound in batch]

    def on_message(self, inbound: Inbound) -> _messages.Action:
        """Decides on one message."""
        return Action.keep()
