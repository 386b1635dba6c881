from dataclasses import replace
from midge import messages
from midge.messages import Action
#### code
class Messages(messages.Messages):
    """What becomes of published messages. What is below old/ goes to new/."""

    def on_message(self, inbound):
        message = inbound.message
        if not message.topic.startswith("old/"):
            return Action.keep()
        return Action.replace(replace(message, topic="new/" + message.topic.removeprefix("old/")))
