/** Stands for a secret, whose value is never shown. */
export function SecretMark() {
  return <span className="text-faint">•••••••• secret</span>;
}
