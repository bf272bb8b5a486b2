import { useCallback, useEffect, useRef, useState } from "react";

/**
 * Calls `read` at once and again whenever `version` changes. One call runs at a time; changes during
 * it lead to one more call after it, so that frequent changes neither pile up nor starve reading.
 */
export function useReadOn(version: string | number, read: (signal: AbortSignal) => Promise<void>) {
  const [error, setError] = useState<Error | null>(null);
  const [loaded, setLoaded] = useState(false);
  const [attempt, setAttempt] = useState(0);
  const latest = useRef(read);
  const pull = useRef<() => void>(() => undefined);

  useEffect(() => {
    latest.current = read;
  });

  useEffect(() => {
    const abort = new AbortController();
    let busy = false;
    let again = false;
    const run = async () => {
      busy = true;
      try {
        do {
          again = false;
          await latest.current(abort.signal);
          if (abort.signal.aborted) return;
          setError(null);
          setLoaded(true);
        } while (again);
      } catch (failure) {
        if (!abort.signal.aborted && failure instanceof Error) setError(failure);
      } finally {
        busy = false;
      }
    };
    pull.current = () => {
      if (busy) again = true;
      else void run();
    };
    return () => {
      abort.abort();
    };
  }, []);

  useEffect(() => {
    pull.current();
  }, [version, attempt]);

  const retry = useCallback(() => {
    setAttempt((value) => value + 1);
  }, []);
  return { error, loaded, retry };
}
