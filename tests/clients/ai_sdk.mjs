// Asks a chat as a page of the AI SDK does: URL CONVERSATION QUESTION…, one after the other. Prints the answers.

import { DefaultChatTransport, readUIMessageStream } from "ai";

const [api, chatId, ...questions] = process.argv.slice(2);
const transport = new DefaultChatTransport({ api });
const messages = [];
for (const [index, text] of questions.entries()) {
  messages.push({ id: `question-${index}`, role: "user", parts: [{ type: "text", text }] });
  const stream = await transport.sendMessages({
    chatId,
    messages,
    trigger: "submit-message",
    messageId: undefined,
    abortSignal: undefined,
  });
  let answer;
  for await (const message of readUIMessageStream({ stream })) answer = message;
  messages.push(answer);
  console.log(answer.parts.filter((part) => part.type === "text").map((part) => part.text).join(""));
}
