import { Icon } from "./Icon";

export function Tag({ children, onRemove }: { children: string; onRemove?: () => void }) {
  return (
    <span className="border-line bg-sunken text-soft inline-flex max-w-56 items-center gap-1 rounded border px-1.5 py-px text-xs">
      <span className="truncate">{children}</span>
      {onRemove && (
        <button type="button" aria-label={`Remove ${children}`} onClick={onRemove} className="hover:text-ink">
          <Icon name="close" className="size-3" />
        </button>
      )}
    </span>
  );
}

export function Tags({ tags }: { tags: readonly string[] }) {
  if (tags.length === 0) return <span className="text-faint">–</span>;
  return (
    <span className="flex flex-wrap gap-1">
      {tags.map((tag) => (
        <Tag key={tag}>{tag}</Tag>
      ))}
    </span>
  );
}
