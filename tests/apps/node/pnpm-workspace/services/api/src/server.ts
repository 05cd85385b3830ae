import Fastify from "fastify";
import { greeting } from "@shop/greeting";

const app = Fastify({ logger: true });

app.get("/", async () => ({ greeting: greeting("Nucleo") }));

await app.listen({ host: "0.0.0.0", port: Number(process.env.PORT ?? 3000) });
