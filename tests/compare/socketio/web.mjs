// The web process: takes notifications by HTTP into a queue of BullMQ, and holds the sockets.
import { createServer } from "node:http";
import { Queue } from "bullmq";
import express from "express";
import { MongoClient, ObjectId } from "mongodb";
import { Server } from "socket.io";
import { adapter, MONGODB, PORT, PRIORITIES, QUEUE, redis, room } from "./settings.mjs";

const RECOVERY_MS = 2 * 60 * 1000; // the documentation's own value

// «Going to production»: keep no finished jobs, try again with growing waits, and answer HTTP soon when Redis is away.
const queue = new Queue(QUEUE, {
  connection: redis({ maxRetriesPerRequest: 1 }),
  defaultJobOptions: {
    attempts: 8,
    backoff: { type: "exponential", delay: 500 },
    removeOnComplete: true,
    removeOnFail: { count: 1000 },
  },
});
queue.on("error", (error) => console.error("error: the queue:", error.message));
const mongo = await new MongoClient(MONGODB).connect();
const notifications = mongo.db("socketio").collection("notifications");

/** @param {{ priority: keyof typeof PRIORITIES, due_in_s?: number }} notification */
const job = (notification) => ({
  name: "notification",
  data: notification,
  opts: { priority: PRIORITIES[notification.priority], delay: Math.round((notification.due_in_s ?? 0) * 1000) },
});

const app = express();
app.use(express.json({ limit: "1mb" }));
app.post("/notifications", async (request, response) => {
  const { name, data, opts } = job(request.body);
  const { id } = await queue.add(name, data, opts);
  response.status(202).json({ id });
});
app.post("/notifications/batch", async (request, response) => {
  const jobs = await queue.addBulk(request.body.map(job));
  response.status(202).json({ ids: jobs.map(({ id }) => id) });
});
app.get("/state", (_, response) => {
  response.json({ sockets: io.engine.clientsCount });
});

const server = createServer(app);
const io = new Server(server, {
  adapter: adapter(),
  connectionStateRecovery: { maxDisconnectionDuration: RECOVERY_MS, skipMiddlewares: true },
  serveClient: false,
});
// «Memory usage»: the first HTTP request of a socket is not needed any more.
io.engine.on("connection", (socket) => {
  socket.request = null;
});
io.engine.on("connection_error", (error) => console.error("error: a connection failed:", error.code, error.message));

// «Delivery guarantees» and step 7 of the tutorial: the client knows the offset of the last notification that it has
// handled, and is sent what came later, unless the state of its connection was recovered.
io.on("connection", async (socket) => {
  const { user, serverOffset } = socket.handshake.auth;
  socket.join(room(user));
  if (socket.recovered) return;
  try {
    const after = serverOffset ? { _id: { $gt: new ObjectId(serverOffset) } } : {};
    for await (const { _id, ...notification } of notifications.find({ recipient: user, ...after }).sort({ _id: 1 }))
      socket.emit("notification", notification, _id.toHexString());
  } catch (error) {
    console.error("error: what was missed could not be read:", String(error));
    socket.disconnect(true); // the client connects again, and asks anew
  }
});

server.listen(PORT, "127.0.0.1");
process.on("SIGTERM", async () => {
  await io.close();
  await queue.close();
  await mongo.close();
  process.exit(0);
});
