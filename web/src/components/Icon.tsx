const PATHS = {
  deployments: "M4 6h16M4 12h10M4 18h13",
  servers: "M4 5h16v6H4zM4 13h16v6H4zM8 8h.01M8 16h.01",
  keys: "M8 16a4 4 0 1 1 0-8 4 4 0 0 1 0 8zM12 12h9v3.5M17 12v3",
  settings: "M4 7h10M18 7h2M4 17h2M10 17h10M16 4.5v5M8 14.5v5",
  playbooks: "M5 4.5h10.5a3 3 0 0 1 3 3V20H8a3 3 0 0 1-3-3zM5 17a3 3 0 0 1 3-3h10.5",
  branch:
    "M7 8v8M7 8a2 2 0 1 0 0-4 2 2 0 0 0 0 4zM7 20a2 2 0 1 0 0-4 2 2 0 0 0 0 4zM17 10a2 2 0 1 0 0-4 2 2 0 0 0 0 4zM17 10c0 4-10 2-10 6",
  terminal: "M4 5h16v14H4zM8 10l3 2.5L8 15M13 15h3",
  upload: "M12 16V5M7 9l5-5 5 5M5 20h14",
  file: "M6 3h8l4 4v14H6zM14 3v4h4",
  folder: "M3 6h6l2 2h10v11H3z",
  plus: "M12 5v14M5 12h14",
  search: "M10.5 17a6.5 6.5 0 1 1 0-13 6.5 6.5 0 0 1 0 13zM15.5 15.5 20 20",
  close: "M6 6l12 12M18 6 6 18",
  check: "M5 13l4.5 4.5L19 7",
  menu: "M4 7h16M4 12h16M4 17h16",
  chevronDown: "M6 9l6 6 6-6",
  chevronRight: "M9 6l6 6-6 6",
  copy: "M9 9h10v11H9zM5 15V4h10",
  warning: "M12 4 2.8 19.5h18.4zM12 10v4.5M12 17h.01",
  dash: "M6 12h12",
  clock: "M12 20a8 8 0 1 1 0-16 8 8 0 0 1 0 16zM12 8v4.5l3 1.5",
  spinner: "M12 4a8 8 0 1 0 8 8",
  unplugged: "M9 3v5M15 3v5M6 8h12v3a6 6 0 0 1-9.5 4.9M12 17v4M4 4l16 16",
  skip: "M5 6l7 6-7 6zM13 6l7 6-7 6z",
  stop: "M7 7h10v10H7z",
  trash: "M5 7h14M10 7V4h4v3M7 7l1 13h8l1-13M10 11v5M14 11v5",
  edit: "M5 19l1-4L16.5 4.5l3 3L9 18zM14 7l3 3",
  user: "M12 12a4 4 0 1 0 0-8 4 4 0 0 0 0 8zM4.5 20a7.5 7.5 0 0 1 15 0",
  download: "M12 4v11M7 11l5 5 5-5M5 20h14",
  retry: "M4.5 12a7.5 7.5 0 1 0 2.4-5.5M7 3v4h4",
  info: "M12 20a8 8 0 1 1 0-16 8 8 0 0 1 0 16zM12 11v5M12 8h.01",
} as const;

export type IconName = keyof typeof PATHS;

/** Decoration only: the words beside it carry the meaning. */
export function Icon({ name, className = "size-4" }: { name: IconName; className?: string }) {
  return (
    <svg
      aria-hidden="true"
      viewBox="0 0 24 24"
      className={`shrink-0 ${className}`}
      fill="none"
      stroke="currentColor"
      strokeWidth="2"
      strokeLinecap="round"
      strokeLinejoin="round"
    >
      <path d={PATHS[name]} />
    </svg>
  );
}
