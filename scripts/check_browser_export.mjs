#!/usr/bin/env node
// Read an export as a web client would, and print the best rows for some queries.
//
//     node scripts/check_browser_export.mjs DIR QUERIES.json [K]
//
// QUERIES.json holds an array of vectors as the model gives them, or `rows:0,7` stands in its
// place for the rows themselves. Output: query, rank, row, cosine, name, tab-separated.
// Exit codes: 0 done, 2 bad arguments, 5 the files do not belong together.

import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";

/** End with a message and the contract's exit code. */
function fail(code, message) {
  console.error(`ERROR: ${message}`);
  process.exit(code);
}

/** Read a file and check that it is the one that `meta.json` names. */
function read(directory, { file, sha256 }, size) {
  const bytes = readFileSync(join(directory, file));
  const digest = createHash("sha256").update(bytes).digest("hex");
  if (bytes.length !== size || digest !== sha256) fail(5, `${file} is damaged or of another export`);
  return bytes;
}

/** Load the files and check that they belong together. */
function load(directory) {
  const meta = JSON.parse(readFileSync(join(directory, "meta.json"), "utf8"));
  const [rows, dimension] = meta.shape;
  const bytes = read(directory, meta.embeddings, rows * dimension);
  if (meta.records.length !== rows) fail(5, `${meta.records.length} records for ${rows} rows`);
  if (meta.quantization.dtype !== "int8") fail(5, `unknown dtype ${meta.quantization.dtype}`);
  // A view of the same bytes: nothing is copied.
  const vectors = new Int8Array(bytes.buffer, bytes.byteOffset, bytes.length);
  if (!meta.whitening) return { meta, vectors, whitening: null };
  const parts = read(directory, meta.whitening, 4 * (dimension * dimension + dimension));
  // Copied: a Float32Array must begin at a multiple of 4 bytes.
  return { meta, vectors, whitening: new Float32Array(new Uint8Array(parts).buffer) };
}

/** Return M q + b, divided by its length, where the export has a whitening; else the query. */
function whitened({ meta, whitening }, query) {
  const dimension = meta.shape[1];
  if (query.length !== dimension) fail(2, `a query of ${query.length} numbers, not ${dimension}`);
  if (!whitening) return query;
  const result = Array.from({ length: dimension }, (_, row) => {
    let sum = whitening[dimension * dimension + row];
    for (let i = 0; i < dimension; i++) sum += whitening[row * dimension + i] * query[i];
    return sum;
  });
  const length = Math.hypot(...result);
  return result.map((value) => value / length);
}

/** Return [row, cosine] of the `k` best rows, equal ones in the order of their rows. */
function search({ meta, vectors }, query, k) {
  const [rows, dimension] = meta.shape;
  const scored = Array.from({ length: rows }, (_, row) => {
    let product = 0;
    for (let i = 0; i < dimension; i++) product += vectors[row * dimension + i] * query[i];
    return [row, product / meta.quantization.scale];
  });
  return scored.sort((a, b) => b[1] - a[1] || a[0] - b[0]).slice(0, k);
}

/** Return a stored row as numbers again. */
function restored({ meta, vectors }, row) {
  const [rows, dimension] = meta.shape;
  if (!(row >= 0 && row < rows)) fail(2, `there is no row ${row}`);
  const values = vectors.subarray(row * dimension, (row + 1) * dimension);
  return Array.from(values, (value) => value / meta.quantization.scale);
}

const [directory, wanted, k = "5"] = process.argv.slice(2);
if (!directory || !wanted) fail(2, "usage: check_browser_export.mjs DIR QUERIES.json|rows:N,N [K]");
const index = load(directory);
const queries = wanted.startsWith("rows:")
  ? wanted.slice(5).split(",").map((row) => restored(index, Number(row)))
  : JSON.parse(readFileSync(wanted, "utf8")).map((query) => whitened(index, query));
queries.forEach((query, number) => {
  search(index, query, Number(k)).forEach(([row, score], place) => {
    const cells = [number, place + 1, row, score.toFixed(6), index.meta.records[row].name];
    console.log(cells.join("\t"));
  });
});
