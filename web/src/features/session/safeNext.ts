/** Where to go after sign-in: only ever a page of this console. */
export function safeNext(next: string | undefined): string {
  if (next === undefined || !next.startsWith("/")) return "/deployments";
  const origin = "http://console.invalid";
  try {
    const url = new URL(next, origin);
    if (url.origin !== origin || url.pathname === "/sign-in" || url.pathname === "/setup")
      return "/deployments";
    return url.pathname + url.search + url.hash;
  } catch {
    return "/deployments";
  }
}
