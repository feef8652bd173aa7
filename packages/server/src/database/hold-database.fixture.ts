/** Run by tests as a process of its own: starts the database of a data folder, says where it is, and holds it until it is told to stop. */
import { startDatabase } from "./start-database.ts";

const [dataFolder] = process.argv.slice(2);
try {
  const started = await startDatabase({ dataFolder: dataFolder ?? "", log: (line) => console.error(line) });
  console.log(JSON.stringify({ ownerUrl: started.ownerUrl, instance: started.instance, ...started.embedded }));
  process.stdin.resume();
  process.stdin.once("end", () => void started.stop());
} catch (error) {
  const { code, message } = error as { code?: unknown; message?: unknown };
  console.log(JSON.stringify({ code, message }));
}
