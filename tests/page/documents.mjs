// Documents that a script begins with.

/** Starts a conversation whose document has this text; gives the conversation's id. */
export async function createDocument(url, title, content) {
  const conversationId = crypto.randomUUID();
  const send = async (path, method, body, headers = {}, patience = Date.now() + 30_000) => {
    const answer = await fetch(new URL(path, url), {
      method,
      headers: { "content-type": "application/json", ...headers },
      body: body && JSON.stringify(body),
    });
    // A busy machine has no time for Redis now and then: the answer asks for the same request again.
    if ([429, 503].includes(answer.status) && Date.now() < patience) {
      await answer.text();
      await new Promise((resolve) => setTimeout(resolve, 300));
      return send(path, method, body, headers, patience);
    }
    if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${await answer.text()}`);
    return answer;
  };
  const started = await (await send("/api/chat/background-doc/start", "POST", { conversationId, title })).json();
  const asset = `/api/media-assets/${started.textAssetId}`;
  // An answer that nobody reads keeps its connection, and the script with it.
  const read = await send(asset, "GET");
  await read.text();
  await (await send(asset, "PUT", { content }, { "if-match": read.headers.get("etag") })).text();
  return conversationId;
}

/** Records the nth turn of a storm, as a chat would. */
export async function recordTurn(url, conversationId, nth) {
  const userMessage = `The storm of day ${nth} took mast ${nth}.`;
  const answer = await fetch(new URL("/api/chat/background-doc/turns", url), {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ conversationId, messageId: `m${nth}`, userMessage, assistantResponse: "I see." }),
  });
  await answer.text();
}
