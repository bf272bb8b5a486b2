import type { CreateServer, Server, ServerStatus } from "@/api/types";
import { splitWords } from "@/format/words";

/** What the server form holds: text as typed. */
export interface ServerForm {
  hostname: string;
  name: string;
  ssh_host: string;
  ssh_port: string;
  ssh_username: string;
  tags: string;
  private_key_id: string;
  distro: string;
  architecture: string;
  status: ServerStatus;
  metadata: string;
}

export const EMPTY_SERVER_FORM: ServerForm = {
  hostname: "",
  name: "",
  ssh_host: "",
  ssh_port: "22",
  ssh_username: "root",
  tags: "",
  private_key_id: "",
  distro: "",
  architecture: "",
  status: "active",
  metadata: "",
};

export function formOfServer(server: Server): ServerForm {
  return {
    hostname: server.hostname,
    name: server.name,
    ssh_host: server.ssh_host,
    ssh_port: String(server.ssh_port),
    ssh_username: server.ssh_username,
    tags: server.tags.join(", "),
    private_key_id: server.private_key?.id ?? "",
    distro: server.distro ?? "",
    architecture: server.architecture ?? "",
    status: server.status,
    metadata: Object.keys(server.metadata).length === 0 ? "" : JSON.stringify(server.metadata, null, 2),
  };
}

/** The request for a new server; also the whole of an update. The form has been checked. */
export function requestOfForm(form: ServerForm, editing: boolean): CreateServer {
  const request: CreateServer = {
    hostname: form.hostname.trim(),
    ssh_host: form.ssh_host.trim() || form.hostname.trim(),
    ssh_port: Number(form.ssh_port.trim() || "22"),
    ssh_username: form.ssh_username.trim() || "root",
    tags: splitWords(form.tags),
    status: form.status,
  };
  const name = form.name.trim();
  if (name !== "") request.name = name;
  else if (editing) request.name = request.hostname;
  const optional = {
    distro: form.distro.trim(),
    architecture: form.architecture.trim(),
    private_key_id: form.private_key_id,
  };
  for (const [key, value] of Object.entries(optional) as [keyof typeof optional, string][]) {
    if (value !== "") request[key] = value;
    else if (editing) request[key] = null;
  }
  const metadata = readMetadata(form.metadata);
  if (metadata !== null && (editing || Object.keys(metadata).length > 0)) request.metadata = metadata;
  return request;
}

/** The JSON object that was typed; `null` when it is something else. */
function readMetadata(text: string): Record<string, unknown> | null {
  if (text.trim() === "") return {};
  try {
    const value: unknown = JSON.parse(text);
    const isObject = typeof value === "object" && value !== null && !Array.isArray(value);
    return isObject ? (value as Record<string, unknown>) : null;
  } catch {
    return null;
  }
}

export type ServerFormErrors = Partial<Record<keyof CreateServer, string>>;

/** What can be said before asking the API. */
export function checkServerForm(form: ServerForm): ServerFormErrors {
  const errors: ServerFormErrors = {};
  if (form.hostname.trim() === "") errors.hostname = "Enter the name this server has in inventories.";
  else if (/[\s,:*?[\]!&]/.test(form.hostname.trim()))
    errors.hostname = "A hostname has no blanks, commas, colons or pattern characters.";
  const port = Number(form.ssh_port.trim() || "22");
  if (!Number.isInteger(port) || port < 1 || port > 65535)
    errors.ssh_port = "A port is a number from 1 to 65535.";
  if (readMetadata(form.metadata) === null)
    errors.metadata = 'Host variables are one JSON object, for example {"http_port": 8080}.';
  return errors;
}
