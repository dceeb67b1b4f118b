// GET lists the notes, POST adds the body as one.
const http = require("http");
const { Pool } = require("pg");

const pool = new Pool();

async function answer(request) {
  if (request.method === "POST") {
    const pieces = [];
    for await (const piece of request) pieces.push(piece);
    await pool.query("INSERT INTO notes (text) VALUES ($1)", [Buffer.concat(pieces).toString()]);
  }
  const { rows } = await pool.query("SELECT text FROM notes ORDER BY id");
  return rows.map((row) => row.text);
}

async function main() {
  await pool.query("CREATE TABLE IF NOT EXISTS notes (id SERIAL PRIMARY KEY, text TEXT NOT NULL)");
  http
    .createServer(async (request, response) => {
      const notes = await answer(request);
      response.setHeader("Content-Type", "application/json");
      response.end(JSON.stringify(notes));
    })
    .listen(3000);
}

process.on("SIGTERM", () => process.exit(0));
main();
