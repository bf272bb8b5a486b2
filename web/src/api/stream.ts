import type { Deployment, DeploymentEvent, DeploymentServer } from "./types";

/** What `GET /api/deployments/{id}/stream` sends, decoded. */
export type StreamMessage =
  | { type: "deployment"; deployment: Deployment }
  | { type: "servers"; rows: DeploymentServer[] }
  | { type: "events"; events: DeploymentEvent[] }
  | { type: "end" };

export interface DeploymentState {
  deployment: Deployment | null;
  /** `rowKey` → the row. A new map whenever a row changed. */
  rows: ReadonlyMap<string, DeploymentServer>;
  /** True once the final state arrived; nothing follows. */
  ended: boolean;
}

export const EMPTY_DEPLOYMENT_STATE: DeploymentState = { deployment: null, rows: new Map(), ended: false };

/** What tells rows apart: two slices may have a host of the same name, `localhost` above all. */
export function rowKey(row: Pick<DeploymentServer, "slice" | "host">): string {
  return `${row.slice}/${row.host}`;
}

export function isEnded(deployment: Pick<Deployment, "status">): boolean {
  return deployment.status !== "pending" && deployment.status !== "running";
}

/**
 * Folds one message into the state. Messages may repeat after a reconnect and may meet an answer of
 * the API that is already newer; an older deployment or row never replaces a newer one.
 */
export function applyMessage(state: DeploymentState, message: StreamMessage): DeploymentState {
  switch (message.type) {
    case "deployment": {
      const current = state.deployment;
      if (current !== null) {
        const older = message.deployment.event_position < current.event_position;
        const reopens = isEnded(current) && !isEnded(message.deployment);
        if (older || reopens) return state;
      }
      return { ...state, deployment: message.deployment };
    }
    case "servers": {
      const fresh = message.rows.filter((row) => {
        const known = state.rows.get(rowKey(row));
        return known === undefined || row.position >= known.position;
      });
      if (fresh.length === 0) return state;
      const rows = new Map(state.rows);
      for (const row of fresh) rows.set(rowKey(row), row);
      return { ...state, rows };
    }
    case "events":
      return state;
    case "end":
      return state.ended ? state : { ...state, ended: true };
  }
}

/** Decodes one server-sent message; `null` for a kind this console does not know. */
export function decodeMessage(kind: string, data: string): StreamMessage | null {
  switch (kind) {
    case "deployment":
      return { type: "deployment", deployment: JSON.parse(data) as Deployment };
    case "servers":
      return { type: "servers", rows: (JSON.parse(data) as { rows: DeploymentServer[] }).rows };
    case "events":
      return { type: "events", events: (JSON.parse(data) as { events: DeploymentEvent[] }).events };
    case "end":
      return { type: "end" };
    default:
      return null;
  }
}
