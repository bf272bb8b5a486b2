import { useCallback, useEffect, useReducer, useState } from "react";

import { withQuery } from "./client";
import { openEventStream } from "./eventStream";
import { fetchDeploymentServers } from "./queries";
import { applyMessage, decodeMessage, EMPTY_DEPLOYMENT_STATE, isEnded, type StreamMessage } from "./stream";
import type { Deployment } from "./types";

const KINDS = ["deployment", "servers", "end"] as const;

/**
 * A deployment with all its host rows, kept true while it runs. Starts from `initial`, reads the rows,
 * and follows the stream from `initial.event_position`: whatever happened between the two reads
 * comes again by the stream, so nothing is missed.
 */
export function useDeploymentStream(initial: Deployment) {
  const [state, dispatch] = useReducer(applyMessage, {
    ...EMPTY_DEPLOYMENT_STATE,
    deployment: initial,
    ended: isEnded(initial),
  });
  const [rowsError, setRowsError] = useState<Error | null>(null);
  const [rowsLoaded, setRowsLoaded] = useState(false);
  const [attempt, setAttempt] = useState(0);
  const { id, event_position: position } = initial;
  const finished = isEnded(initial);

  useEffect(() => {
    const abort = new AbortController();
    fetchDeploymentServers(id, abort.signal).then(
      (rows) => {
        dispatch({ type: "servers", rows });
        setRowsError(null);
        setRowsLoaded(true);
      },
      (error: Error) => {
        if (!abort.signal.aborted) setRowsError(error);
      },
    );
    return () => {
      abort.abort();
    };
  }, [id, attempt]);

  useEffect(() => {
    if (finished) return;
    const close = openEventStream({
      url: (lastId) =>
        withQuery(`/api/deployments/${id}/stream`, { after: lastId ?? position, events: false }),
      kinds: KINDS,
      onMessage: (kind, data) => {
        const message = decodeMessage(kind, data);
        if (message === null) return;
        dispatch(message);
        if (message.type === "end") close();
      },
    });
    return close;
  }, [id, position, finished]);

  const apply = useCallback((message: StreamMessage) => {
    dispatch(message);
  }, []);
  const retryRows = useCallback(() => {
    setAttempt((value) => value + 1);
  }, []);

  return {
    deployment: state.deployment ?? initial,
    rows: state.rows,
    rowsLoaded,
    rowsError,
    apply,
    retryRows,
  };
}
