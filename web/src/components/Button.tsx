import { Link, type LinkProps } from "@tanstack/react-router";
import type { ButtonHTMLAttributes, ReactNode } from "react";

import { Icon, type IconName } from "./Icon";

type Variant = "primary" | "secondary" | "danger" | "quiet";

const VARIANTS: Record<Variant, string> = {
  primary: "bg-accent-strong text-on-accent border-transparent hover:brightness-110",
  secondary: "bg-surface text-ink border-edge/50 hover:bg-hover",
  danger: "bg-danger-strong text-white border-transparent hover:brightness-110",
  quiet: "text-soft border-transparent hover:bg-hover hover:text-ink",
};

const BASE =
  "inline-flex items-center justify-center gap-1.5 whitespace-nowrap rounded-md border text-sm font-medium " +
  "disabled:cursor-not-allowed disabled:opacity-55";

function look(variant: Variant, small: boolean, className: string): string {
  return `${BASE} ${VARIANTS[variant]} ${small ? "px-2 py-1" : "px-3 py-1.5"} ${className}`;
}

interface Look {
  variant?: Variant;
  icon?: IconName;
  small?: boolean;
  children: ReactNode;
  className?: string;
}

type ButtonProps = Look & ButtonHTMLAttributes<HTMLButtonElement> & { busy?: boolean };

export function Button({
  variant = "secondary",
  icon,
  small = false,
  busy = false,
  className = "",
  children,
  disabled,
  ...rest
}: ButtonProps) {
  return (
    <button
      type="button"
      {...rest}
      disabled={disabled === true || busy}
      aria-busy={busy || undefined}
      className={look(variant, small, className)}
    >
      {busy ? <Icon name="spinner" className="spin size-4" /> : icon && <Icon name={icon} />}
      {children}
    </button>
  );
}

/** A link that looks like a button. */
export function ButtonLink({
  variant = "secondary",
  icon,
  small = false,
  className = "",
  children,
  ...rest
}: Look & Pick<LinkProps, "to" | "params" | "search">) {
  return (
    <Link {...rest} className={look(variant, small, className)}>
      {icon && <Icon name={icon} />}
      {children}
    </Link>
  );
}

export function IconButton({
  icon,
  label,
  className = "",
  ...rest
}: { icon: IconName; label: string } & ButtonHTMLAttributes<HTMLButtonElement>) {
  return (
    <button
      type="button"
      aria-label={label}
      title={label}
      {...rest}
      className={`text-faint hover:bg-hover hover:text-ink inline-flex size-7 items-center justify-center rounded-md disabled:cursor-not-allowed disabled:opacity-50 ${className}`}
    >
      <Icon name={icon} />
    </button>
  );
}
