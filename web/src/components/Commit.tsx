const SHORT = 10;

/** A commit by the start of its id; the whole of it on hover. */
export function Commit({ id }: { id: string }) {
  return (
    <code className="text-xs" title={id}>
      {id.slice(0, SHORT)}
    </code>
  );
}
