const FIELDS = "input,textarea,select,[contenteditable=true]";

/** Whether a key goes into a field, an editor or an open dialog: then it is no shortcut of the page. */
export function isTyping(
  { target }: Pick<KeyboardEvent, "target">,
  page: Pick<Document, "querySelector"> = document,
): boolean {
  return (
    (target as Partial<Element> | null)?.closest?.(FIELDS) != null ||
    page.querySelector("[role=dialog]") !== null
  );
}
