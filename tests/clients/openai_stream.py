"""Asks a chat through the official client, streaming and not: BASE_URL CONVERSATION QUESTION."""

import sys

from openai import OpenAI

base_url, conversation, question = sys.argv[1:]
client = OpenAI(base_url=base_url, api_key="not-needed", max_retries=0)
models = [model.id for model in client.models.list()]
assert models, "no models"
messages = [{"role": "user", "content": question}]
stream = client.chat.completions.create(
    model=models[0],
    messages=messages,
    stream=True,
    extra_headers={"x-scribe-conversation-id": conversation},
)
said = "".join(chunk.choices[0].delta.content or "" for chunk in stream if chunk.choices)
print(said)

messages += [{"role": "assistant", "content": said}, {"role": "user", "content": question + " Once more?"}]
whole = client.chat.completions.create(model=models[0], messages=messages, user=conversation)
print(whole.choices[0].message.content)
