// Builds messages by nodemailer.
//
// Standard input holds a list of descriptions in JSON (see `tests/tests/libraries.rs`). The messages come out, each behind
// its length (four octets, the most significant first). NODEMAILER names the folder of `node_modules`.

import { readFileSync, writeSync } from "node:fs";
import { createRequire } from "node:module";

const nodemailer = createRequire(`${process.env.NODEMAILER}/`)("nodemailer");
const transport = nodemailer.createTransport({ streamTransport: true, buffer: true, newline: "windows" });

const addresses = (entries) => entries.map(([name, address]) => ({ name, address }));
const part = (each) => ({
    filename: each.name,
    contentType: each.type,
    content: Buffer.from(each.octets, "hex"),
    ...(each.id ? { cid: each.id, contentDisposition: "inline" } : {}),
});

for (const told of JSON.parse(readFileSync(0))) {
    const { message: octets } = await transport.sendMail({
        from: addresses(told.from),
        to: addresses(told.to),
        cc: addresses(told.cc),
        subject: told.subject,
        messageId: `<${told.message_id}>`,
        inReplyTo: told.references.at(-1),
        references: told.references,
        text: told.text,
        html: told.html ?? undefined,
        attachments: [...told.inline.map(part), ...told.attachments.map(part)],
    });
    const length = Buffer.alloc(4);
    length.writeUInt32BE(octets.length);
    let frame = Buffer.concat([length, octets]);
    while (frame.length) frame = frame.subarray(writeSync(1, frame));
}
