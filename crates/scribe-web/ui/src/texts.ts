// Everything that a person reads, in one place.

export const texts = {
  product: "Background Scribe",
  chat: "Chat",
  scribe: "Scribe",
  documents: "Documents",
  newConversation: "New conversation",
  newShort: "New",
  untitled: "Untitled conversation",
  skip: "Skip to the conversation",
  panels: "Chat and scribe",

  message: "Your message",
  messagePlaceholder: "Say something. “Start the scribe, call it …” begins a document.",
  send: "Send",
  stop: "Stop",
  regenerate: "Answer again",
  edit: "Edit",
  editing: "Edit your message",
  saveAndAsk: "Ask again",
  cancel: "Cancel",
  you: "You",
  assistant: "Assistant",
  thinking: "The answer is on its way",
  emptyChat: "Nothing was said yet.",
  offlineNoDocument: "The document comes when the server can be reached again, with what you typed and could not save.",
  emptyHere: "What was said is kept in the browser it was said in. You can go on here.",
  answerStopped: "Stopped. A half answer is not written down.",
  answerBroke: "The answer broke off. Ask again; a half answer is not written down.",
  noAnswer: "No answer came. Ask again; a question alone is not written down.",
  commandDone: {
    started: "The scribe is on.",
    stopped: "The scribe is off. What waits is kept.",
    "no-scribe": "This conversation has no scribe. Say “start the scribe” to begin one.",
    failed: "The scribe could not be switched. Say it again in a moment, or use the switch above the document.",
    unfinished: "The scribe is being switched; this takes longer than usual.",
    "not-understood": "That began like a wish to the scribe and was not understood. Say “start the scribe”, “stop the scribe” or “call it …”.",
  } as Record<string, string>,

  startScribe: "Start the scribe",
  startHint: "The scribe writes what is said here into a document, turn by turn, while you talk.",
  startTitle: "Title",
  startTitlePlaceholder: "Your first message, if you name none",
  style: "Style",
  styles: {
    auto: "As the conversation goes",
    default: "Plain",
    literary: "Literary",
    factual: "Factual",
    conversational: "Conversational",
  } as Record<string, string>,
  scribeSwitch: "The scribe writes",
  scribeSwitchShort: "Scribe",
  title: "The document’s title",

  write: "Write",
  read: "Read",
  history: "History",
  view: "View of the document",
  table: "Table",
  code: "Code",
  refresh: "Read again",
  download: "Download as Markdown",
  copy: "Copy as Markdown",
  copied: "Copied.",
  copyFailed: "The browser would not copy. Select the text and copy it yourself.",
  more: "More",
  editor: "The document, in Markdown",
  /** By the editor's own words for them. */
  search: {
    Find: "Find",
    Replace: "Replace with",
    next: "Next",
    previous: "Previous",
    all: "Select all",
    "match case": "Match case",
    regexp: "Pattern",
    "by word": "Whole words",
    replace: "Replace",
    "replace all": "Replace all",
    close: "Close",
    "current match": "this one",
    "on line": "on line",
    "replaced match on line $": "replaced on line $",
    "replaced $ matches": "$ replaced",
    "Go to line": "Go to line",
    go: "Go",
  } as Record<string, string>,
  tokens: (count: number) => `≈ ${count.toLocaleString("en")} tokens`,

  saved: "Saved",
  saving: "Saving …",
  unsaved: "Not saved yet",
  unsavedOffline: "Kept until you are online",
  unsavedFull: "Offline, and this browser’s storage is full. Keep this page open.",
  saveFailed: (why: string, again: boolean) =>
    again ? `Not saved: ${why} Your text is kept here and tried again.` : `Not saved: ${why} Your text is kept here.`,
  mergedWithSuggestions: (count: number) =>
    count === 1
      ? "Your text stands. Others wrote there too: see the suggestion."
      : `Your text stands. Others wrote there too: see the ${count} suggestions.`,
  renamedMeanwhile: (title: string) => `Somebody else had just called it “${shortened(title, 60)}”. Your title stands.`,
  renamed: (title: string) => `Somebody else has called it “${shortened(title, 60)}”.`,
  draftRestored: "What you had typed before is here again.",

  drafts: "Being written, not yet kept",
  draftReplaces: "Being written in place of this, not yet kept",
  draftOf: (question: string) => `On: ${question}`,

  status: {
    connecting: "Connecting …",
    none: "No scribe yet",
    offline: "Offline. What you type is kept.",
    degraded: "Slow: news come some seconds late",
    offSince: "Off: nothing is written down",
    finishing: "Finishing the turn that was begun",
    paused: (waiting: number) => `Paused: ${turns(waiting)} kept until it is switched on`,
    listening: "Listening",
    waiting: (waiting: number, forText: string) => `${turns(waiting)} waiting, ${forText}`,
    writing: (question: string) => (question ? `Writing: ${question}` : "Writing"),
    upToDate: (when: string) => `Up to date, written ${when}`,
    gone: "The document was deleted",
  },
  deletedBefore: "This conversation’s document was deleted. It can be brought back.",
  deletedHint: "The document was deleted. What stands here can be copied, or the document brought back.",
  bringBack: "Bring it back",
  nothingToBringBack: "No version of it is left.",
  failedTurns: (count: number) => `${capital(turns(count))} could not be written`,
  failedHint: "Try again once the cause is gone, or leave the turn out for good.",
  replay: "Try again",
  replayAll: "Try all again",
  dismiss: "Leave out",
  noReason: "no reason is known",

  newSuggestion: "There is a new suggestion beside the text.",
  suggestions: "Suggestions",
  suggestion: "Suggestion",
  showInText: "Show in the text",
  suggestionBy: {
    scribe: "The scribe suggests",
    person: (name: string) => `${name} suggests`,
    unknown: "Somebody suggests",
  },
  suggestionTo: { replace: "another wording:", delete: "to take this out:", insert: "to put this in:" },
  suggestionHomeless: "What it was for has been taken out. Compare before you accept.",
  suggestionStale: "The text has changed since. Compare before you accept.",
  accept: "Accept",
  reject: "Dismiss",
  compare: "Compare",
  compareTitle: "What stands, and what is suggested",
  close: "Close",

  versions: "Versions",
  versionBy: {
    scribe: "the scribe",
    person: (name: string) => name,
    unknown: "somebody",
  },
  versionDeleted: "deleted",
  latest: "now",
  restore: "Restore this version",
  restoring: "Restoring …",
  restored: "Restored. What was there before is in the history.",
  olderVersions: "Older versions",
  changesOf: (when: string) => `What changed ${when}`,
  noChanges: "Nothing changed in the text.",
  chooseVersion: "Choose a version to see what changed in it.",

  /** A button's words, and what it is for. */
  named: (what: string, title: string) => `${what}: ${shortened(title, 80)}`,
  shelfTitle: "Documents and conversations",
  shelfEmpty: "No document yet. Start the scribe in a conversation.",
  open: "Open",
  continueConversation: "Continue in a new chat",
  delete: "Delete",
  deleteTitle: (title: string) => `Delete “${shortened(title, 80)}”?`,
  deleteHint: "Its conversations end. It can be brought back from its versions.",
  unreadable: (id: string) => `The document ${id} can’t be read. Whoever runs the server can restore an earlier version of it.`,
  moreDocuments: "More",
  ownConversations: "Conversations in this browser without a document here",
  forget: "Forget",
  filter: "Find by title",
  noMatch: "No title has these words.",

  token: "Token or API key",
  tokenTitle: "Who are you?",
  tokenHint: "This server wants a token. It stays in this tab and is forgotten when you close it.",
  tokenUse: "Use it",

  // Errors say what to do.
  errors: {
    ofStatus: {
      401: "The server does not know you. Give a token that is valid.",
      403: "The server does not let you do this. Ask whoever runs it.",
      404: "There is no such thing any more. Read the page anew.",
      413: "This is more than the server takes at once. Make it shorter.",
    } as Record<number, string>,
    refused: (status: number) => `The server refused this (${status}). Read the page anew; if it stays so, tell whoever runs it.`,
    offline: "The server can’t be reached. Check the connection; the page tries again by itself.",
    server: "The server failed. Try again in a moment.",
    tooMany: "Too many requests at once. Wait a moment and try again.",
    unknown: (message: string) => sentence(message),
    chat: (message: string) => `The chat did not answer: ${sentence(message)}`,
  },
};

/** The beginning of a text that is longer than so many letters. */
export function shortened(text: string, most: number): string {
  return text.length > most ? `${text.slice(0, most - 2)}…` : text;
}

function turns(count: number): string {
  return count === 1 ? "one turn" : `${count} turns`;
}

function capital(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

/** A server's message as a sentence. */
export function sentence(message: string): string {
  const text = message.trim();
  if (text === "") return texts.errors.server;
  const begun = capital(text);
  return /[.!?…]$/.test(begun) ? begun : `${begun}.`;
}

const units: [Intl.RelativeTimeFormatUnit, number][] = [
  ["day", 86_400],
  ["hour", 3_600],
  ["minute", 60],
  ["second", 1],
];
const relative = new Intl.RelativeTimeFormat("en", { numeric: "auto" });

/** How long ago, in words. */
export function ago(then: number | string, now: number): string {
  const seconds = Math.max(0, Math.round((now - new Date(then).getTime()) / 1000));
  if (seconds < 10) return "just now";
  const [unit, size] = units.find(([, size]) => seconds >= size) ?? ["second", 1];
  return relative.format(-Math.floor(seconds / size), unit);
}

/** For how long, in words. */
export function span(ms: number): string {
  const seconds = Math.floor(ms / 1000);
  if (seconds < 60) return `for ${seconds} s`;
  if (seconds < 3600) return `for ${Math.floor(seconds / 60)} min`;
  return `for ${Math.floor(seconds / 3600)} h`;
}

export function clock(when: string): string {
  return new Date(when).toLocaleString("en", { dateStyle: "medium", timeStyle: "medium" });
}
