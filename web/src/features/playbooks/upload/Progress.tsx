import { Icon } from "@/components/Icon";

/** How much of a file is sent; afterwards the server is at work. */
export function Progress({ share, then }: { share: number; then: string }) {
  const percent = Math.floor(share * 100);
  return (
    <div className="py-6">
      <p role="status" className="text-soft mb-2 flex items-center gap-2 text-sm">
        <Icon name="spinner" className="spin size-4" />
        {percent < 100 ? `Sending, ${percent}%` : then}
      </p>
      <div
        role="progressbar"
        aria-label="Sent"
        aria-valuenow={percent}
        aria-valuemin={0}
        aria-valuemax={100}
        className="bg-sunken h-2 overflow-hidden rounded-full"
      >
        <div className="bg-accent-strong h-full" style={{ width: `${percent}%` }} />
      </div>
    </div>
  );
}
