Action
//// code
// What becomes of published messages. What is below old/ goes to new/.
/** @type {import("midge").Messages} */
export const messages = {
  onPublish({ message }) {
    if (!message.topic.startsWith("old/")) return Action.keep();
    return Action.replace({ ...message, topic: message.topic.replace("old/", "new/") });
  },
};
