import { loginLinkSchema } from "@remit/contract";
import type { Command } from "commander";
import { example } from "../frame/command.ts";
import type { Run } from "../frame/command.ts";
import { safeLine } from "../terminal/safe-text.ts";

export function defineLink(command: Command, run: Run): void {
  command
    .argument("<party>", "who will use it")
    .description("make a one-time link with the machine key of the data folder here")
    .action((party: string) =>
      run(async (frame) => {
        const client = await frame.machineClient();
        const link = await client.send({ method: "POST", path: "/v1/links", body: { party }, response: loginLinkSchema });
        frame.terminal.answer(link, () => [link.url]);
        frame.terminal.say(`Works once, until ${link.expiresAt}. In a browser, or: remit login ${safeLine(link.url)} --context ${party}`);
      }),
    );
  example(command, "remit link mara", 'remit login "$(remit link mara)" --context mara');
}
