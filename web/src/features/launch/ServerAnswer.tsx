import { useQuery } from "@tanstack/react-query";
import { useId, useState, type ReactNode } from "react";

import { serversQuery } from "@/api/queries";
import { TextField } from "@/components/Field";
import { Tag } from "@/components/Tag";

const MOST = 20;

/** A field whose answer is one hostname, or several. */
export function ServerAnswer({
  label,
  hint,
  error,
  optional,
  value,
  onChange,
}: {
  label: string;
  hint: ReactNode;
  error: string | undefined;
  optional: boolean;
  value: unknown;
  onChange: (value: string | string[]) => void;
}) {
  const list = useId();
  const [text, setText] = useState("");
  const servers = useQuery(serversQuery({ search: text, page: 1, per_page: MOST }));
  const found = servers.data?.data ?? [];
  const chosen = (Array.isArray(value) ? value : [value]).filter(
    (one): one is string => typeof one === "string" && one !== "",
  );
  const put = (names: string[]) => {
    onChange(names.length === 1 && names[0] !== undefined ? names[0] : names);
  };
  const take = (name: string) => {
    if (!found.some((server) => server.hostname === name)) return false;
    put([...new Set([...chosen, name])]);
    setText("");
    return true;
  };
  return (
    <div>
      <TextField
        label={label}
        optional={optional}
        error={error}
        hint={hint}
        list={list}
        placeholder={chosen.length === 0 ? "Type a hostname" : "Add another"}
        autoComplete="off"
        autoCapitalize="none"
        spellCheck={false}
        value={text}
        onChange={(event) => {
          // Choosing from the list gives a whole name at once.
          const typed = event.target.value;
          const native = event.nativeEvent as Partial<InputEvent>;
          const picked = native.inputType === undefined || native.inputType === "insertReplacementText";
          if (!picked || !take(typed)) setText(typed);
        }}
        onBlur={() => {
          take(text.trim());
        }}
        onKeyDown={(event) => {
          if (event.key !== "Enter" || text === "") return;
          event.preventDefault();
          take(text.trim());
        }}
      />
      <datalist id={list}>
        {found.map((server) => (
          <option key={server.id} value={server.hostname} />
        ))}
      </datalist>
      {text !== "" && servers.isSuccess && found.length === 0 && (
        <p role="status" className="text-faint mt-1 text-xs">
          No server is called {text}.
        </p>
      )}
      {chosen.length > 0 && (
        <p className="mt-1.5 flex flex-wrap gap-1">
          {chosen.map((name) => (
            <Tag
              key={name}
              onRemove={() => {
                put(chosen.filter((other) => other !== name));
              }}
            >
              {name}
            </Tag>
          ))}
        </p>
      )}
    </div>
  );
}
