/** `web, db  eu` → `["web", "db", "eu"]`, each once. */
export function splitWords(text: string): string[] {
  return [...new Set(text.split(/[\s,]+/).filter((word) => word !== ""))];
}

/** `first line…` for text of several lines. */
export function firstLine(text: string): string {
  const end = text.indexOf("\n");
  return end === -1 ? text : `${text.slice(0, end).trimEnd()}…`;
}
