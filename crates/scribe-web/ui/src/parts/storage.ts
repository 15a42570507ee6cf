// The browser's storage, which may be full, or closed to us: then what is kept lasts as long as the page.

class Store {
  private readonly memory = new Map<string, string>();

  constructor(private readonly open: () => Storage) {}

  get(key: string): string | null {
    const kept = this.memory.get(key);
    if (kept !== undefined) return kept;
    try {
      return this.open().getItem(key);
    } catch {
      return null;
    }
  }

  /** Answers whether it outlasts the page. */
  set(key: string, value: string): boolean {
    try {
      this.open().setItem(key, value);
      this.memory.delete(key);
      return true;
    } catch {
      this.memory.set(key, value);
      return false;
    }
  }

  remove(key: string): void {
    this.memory.delete(key);
    try {
      this.open().removeItem(key);
    } catch {
      // Nothing is kept there.
    }
  }

  keys(prefix: string): string[] {
    let kept: string[] = [];
    try {
      kept = Object.keys(this.open());
    } catch {
      // Nothing is kept there.
    }
    return [...new Set([...kept, ...this.memory.keys()])].filter((key) => key.startsWith(prefix));
  }
}

/** What all tabs share. */
export const shared = new Store(() => localStorage);
/** What belongs to this tab. */
export const tab = new Store(() => sessionStorage);
