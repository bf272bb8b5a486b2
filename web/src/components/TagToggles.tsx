import type { ServerTag } from "@/api/types";

/** Tags to choose from, each with how many servers have it. */
export function TagToggles({
  tags,
  chosen,
  onChange,
}: {
  tags: readonly ServerTag[];
  chosen: readonly string[];
  onChange: (tags: string[]) => void;
}) {
  return (
    <div role="group" aria-label="Tags" className="flex flex-wrap gap-1.5">
      {tags.map(({ tag, servers }) => {
        const on = chosen.includes(tag);
        return (
          <button
            key={tag}
            type="button"
            aria-pressed={on}
            onClick={() => {
              onChange(on ? chosen.filter((other) => other !== tag) : [...chosen, tag]);
            }}
            className={`rounded-md border px-2 py-0.5 text-sm ${on ? "bg-accent-strong border-transparent text-white" : "border-line bg-sunken hover:border-edge"}`}
          >
            {tag} <span className={on ? "" : "text-faint"}>{servers}</span>
          </button>
        );
      })}
    </div>
  );
}
