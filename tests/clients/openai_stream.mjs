// Asks a chat through the official client, streaming and not: BASE_URL CONVERSATION QUESTION.

import OpenAI from "openai";

const [baseURL, conversation, question] = process.argv.slice(2);
const client = new OpenAI({ baseURL, apiKey: "not-needed", maxRetries: 0 });
const models = (await client.models.list()).data.map((model) => model.id);
if (models.length === 0) throw new Error("no models");
const messages = [{ role: "user", content: question }];
const stream = await client.chat.completions.create({
  model: models[0],
  messages,
  stream: true,
  metadata: { conversation_id: conversation },
});
let said = "";
for await (const chunk of stream) said += chunk.choices[0]?.delta?.content ?? "";
console.log(said);

messages.push({ role: "assistant", content: said }, { role: "user", content: `${question} Once more?` });
const whole = await client.chat.completions.create({ model: models[0], messages, user: conversation });
console.log(whole.choices[0].message.content);
