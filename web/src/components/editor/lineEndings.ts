/** What ends the lines of a text; null when they differ, or are old ones of a lone carriage return. */
export function lineEnding(text: string): "\n" | "\r\n" | null {
  if (!text.includes("\r")) return "\n";
  return /\r(?!\n)|(?<!\r)\n/.test(text) ? null : "\r\n";
}
