import { nanoid } from "nanoid";

export function greeting(name: string): string {
  return `Hello ${name} from a workspace, ${nanoid(4).length}`;
}
