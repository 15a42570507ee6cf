// A chat of one's own as the AI SDK's users write it: `node ai_sdk_chat.mjs` prints its URL and answers each question
// with the text between the mark "say:" and the question's end.

import { createServer } from "node:http";
import { createUIMessageStream, pipeUIMessageStreamToResponse } from "ai";

const server = createServer(async (request, response) => {
  let body = "";
  for await (const piece of request) body += piece;
  const { messages } = JSON.parse(body);
  const asked = messages.at(-1).parts.map((part) => part.text ?? "").join("");
  const words = asked.split("say:")[1].trim().split(" ");
  const stream = createUIMessageStream({
    execute: ({ writer }) => {
      writer.write({ type: "start" });
      writer.write({ type: "text-start", id: "t" });
      for (const word of words) writer.write({ type: "text-delta", id: "t", delta: `${word} ` });
      writer.write({ type: "text-end", id: "t" });
      writer.write({ type: "finish" });
    },
  });
  pipeUIMessageStreamToResponse({ response, stream });
});
server.listen(0, "127.0.0.1", () => console.log(`http://127.0.0.1:${server.address().port}/api/chat`));
process.stdin.on("end", () => process.exit(0)).resume();
