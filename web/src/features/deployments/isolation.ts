const WORDS: Record<string, string> = {
  strict: "strict: the run saw a read-only controller and nothing of Admiral's",
  controller_writable: "writable controller: the run acted on it as Admiral's own account",
  none: "none: the run could read and change whatever Admiral can",
  bwrap: "bubblewrap, as of an earlier version",
};

/** What stood between a run and the machine that it ran on. */
export function isolationInWords(isolation: string): string {
  return WORDS[isolation] ?? isolation;
}
