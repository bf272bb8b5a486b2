import type { ReactNode } from "react";

import { Brand } from "@/shell/Brand";

/** The frame of the pages before sign-in. */
export function EntryFrame({ title, children }: { title: string; children: ReactNode }) {
  return (
    <main className="flex min-h-dvh flex-col items-center px-4 pt-[14vh] pb-10">
      <Brand />
      <section className="panel mt-6 w-full max-w-sm p-6 shadow-sm">
        <h1 className="mb-4 text-lg font-semibold">{title}</h1>
        {children}
      </section>
    </main>
  );
}
