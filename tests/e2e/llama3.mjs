// What test_llama3.sh asks of another engine.
//
//   node llama3.mjs make PACKAGE FOLDER    a GGUF vocabulary of the package's tokens and merges, and
//                                          stress texts with the ids of the package's own encoder
//   node llama3.mjs classes FILE           compares Unicode classes ("tokens classes") with V8's
import fs from "node:fs";
import path from "node:path";
import {pathToFileURL} from "node:url";

// ---- GGUF, written here apart from ternvk's writer ----

const u32 = (v) => { const b = Buffer.alloc(4); b.writeUInt32LE(v); return b; };
const u64 = (v) => { const b = Buffer.alloc(8); b.writeBigUInt64LE(BigInt(v)); return b; };
const str = (s) => { const b = Buffer.from(s, "utf8"); return Buffer.concat([u64(b.length), b]); };
const keyStr = (key, value) => Buffer.concat([str(key), u32(8), str(value)]);
const keyU32 = (key, value) => Buffer.concat([str(key), u32(4), u32(value)]);
const keyStrs = (key, list) =>
    Buffer.concat([str(key), u32(9), u32(8), u64(list.length), ...list.map(str)]);
const keyI32s = (key, list) =>
    Buffer.concat([str(key), u32(9), u32(5), u64(list.length), Buffer.from(Int32Array.from(list).buffer)]);

function writeVocabulary(tokenizer, file) {
    const tokens = tokenizer.vocabById;
    const keys = [
        keyStr("general.architecture", "llama"),
        keyStr("tokenizer.ggml.model", "gpt2"),
        keyStr("tokenizer.ggml.pre", "llama-bpe"),
        keyStrs("tokenizer.ggml.tokens", tokens),
        keyI32s("tokenizer.ggml.token_type", tokens.map((t) => (/^<\|.*\|>$/.test(t) ? 3 : 1))),
        keyStrs("tokenizer.ggml.merges", [...tokenizer.merges.keys()]),
        keyU32("tokenizer.ggml.bos_token_id", 128000),
        keyU32("tokenizer.ggml.eos_token_id", 128001),
    ];
    fs.writeFileSync(file, Buffer.concat([Buffer.from("GGUF"), u32(3), u64(0), u64(keys.length), ...keys]));
}

// ---- texts ----

// The package writes \s as JavaScript has it: with U+FEFF and without U+0085, unlike the tokenizer it
// stands for. And its contractions are ASCII, where (?i:'s) also means U+017F. These three stay out.
const scripts = [
    "The quick brown fox jumps over the lazy dog. ", "Съешь же ещё этих мягких булок. ",
    "Ξεσκεπάζω την ψυχοφθόρα βδελυγμία. ", "日本語のテキスト、カタカナ。 ", "中文文本沒有空格。",
    "다람쥐 헌 쳇바퀴에 타고파. ", "نص عربي مع تشكيل: مُحَمَّد ١٢٣٤٥ ", "עִבְרִית עם ניקוד ",
    "हिन्दी देवनागरी १२३ ", "தமிழ் உரை ", "ภาษาไทยไม่มีช่องว่าง ", "ქართული ", "Հայերեն ", "አማርኛ ",
    "ᏣᎳᎩ ", "ᠮᠣᠩᠭᠣᠯ ", "ಕನ್ನಡ ", "မြန်မာ ", "ខ្មែរ ", "𐍈𐌰𐌿𐌽 𝔘𝔫𝔦𝔠𝔬𝔡𝔢 𝟘𝟙𝟚 ", "Ⅷ ½ ² ₃ ① ㊀ 三 ",
];
const pieces = {
    scripts: scripts.join("\n") + scripts.join(""),
    emoji: "👩‍👩‍👧‍👦 👨🏽‍🚒🏳️‍🌈 🇩🇪🇯🇵 ❤️‍🔥 🫠x🫠1 ☺️☺ 👍🏿!! a👍b 1️⃣ #️⃣",
    digits: "0 12 123 1234 12345 1234567890 3.14159 1,000,000 0x1F 2024-12-31T23:59:59Z ４５６ ०१२ 1½ " +
        "7".repeat(100),
    contractions: "I'm you're he's she'd we'll they've don't I'M YOU'RE HE'S SHE'D WE'LL THEY'VE DON'T " +
        "'s 't 're 've 'm 'll 'd 'S 'T 'Re 'vE 'M 'Ll 'lL 'D ''s 'sX 'reX x'y o'clock ‘s ’s ’re 'llama",
    spaces: " a  b   c    d\te\t\tf \t g\n\nh\r\ni\r\n\r\nj \n k\n \n  l  \n\n  m\u00a0n\u00a0\u00a0o\u2003p" +
        "\u3000\u3000q \u2028r\u2029s\v\ft " + " ".repeat(200) + "u" + "\t".repeat(50) + "\n".repeat(70) + "end   ",
    marks: "e\u0301 a\u0300\u0323 Z\u0351\u036b\u0343a\u0328l\u0334g\u0321o\u0362 \u200b\u200d\u200f\u202e \u00ad " +
        "ﬁ ǆ İ ı ß ẞ \u0345 \u{1F3FB} \u{E0061}\u{E007F} \ufffd \u0000\u0001\u001f\u007f \u0080\u009f",
    code: "#include <stdio.h>\nint main(void)\n{\n\tprintf(\"%d\\n\", x->y[0] ? a && b : ~c);\r\n    return 0; // ok\n}\n" +
        "def f(x: int) -> str:\n    return f\"{x!r:>10}\"  # TODO\n<div class='a'>&nbsp;</div>\n{\"k\":[1,2.5e-3,null]}\n" +
        "SELECT * FROM t WHERE a<>'b';\nC:\\dir\\file.txt ~/x.tar.gz https://example.org/a?b=c&d=%20#e $$$ ____ ===>",
    special: "<|begin_of_text|><|start_header_id|>user<|end_header_id|>\n\nHi<|eot_id|> <|eot_id|>x<|end_of_text|>" +
        "<|reserved_special_token_0|><|reserved_special_token_247|><|eot_id| ><|not_a_token|><|<|eot_id|>|>",
    words: "antidisestablishmentarianism Donaudampfschifffahrtsgesellschaft 'tis CamelCaseWord snake_case_word " +
        "aAbBcC iPhone15Pro x86_64 " + "lol".repeat(300) + " " + "ab".repeat(2000) + "é".repeat(300),
    empty: "", space: " ", newline: "\n", letter: "x",
};

// Words of all the above in random order, with random separators.
function shuffled() {
    const words = Object.values(pieces).join(" ").match(/\S+|\s+/g).map((w) => w.slice(0, 60));
    let state = 12345, text = "";
    const next = (n) => (state = (Math.imul(state, 1664525) + 1013904223) >>> 0) % n;
    const between = ["", " ", "  ", "\n", "\r\n", "\t", "'s", "1", ".", "\u00a0"];
    for (let i = 0; i < 20000; i++) text += words[next(words.length)] + between[next(between.length)];
    return text;
}

async function make(folder, out) {
    const bundle = path.join(folder, "bundle", "llama3-tokenizer-with-baked-data.js");
    const tokenizer = (await import(pathToFileURL(path.resolve(bundle)))).default;
    const texts = {...pieces, all: Object.values(pieces).join(""), shuffled: shuffled()};
    writeVocabulary(tokenizer, path.join(out, "llama3.gguf"));
    for (const [name, text] of Object.entries(texts)) {
        const ids = tokenizer.encode(text, {bos: false, eos: false});
        fs.writeFileSync(path.join(out, `${name}.txt`), text);
        fs.writeFileSync(path.join(out, `${name}.ids`), ids.join(" ") + "\n");
    }
    // bytes that are no UTF-8: no other encoder to ask, the round trip only
    const bytes = Buffer.from(Array.from({length: 50000}, (_, i) => (Math.imul(i, 2654435761) >>> 13) & 255));
    fs.writeFileSync(path.join(out, "invalid.bytes"), bytes);
}

// ---- Unicode classes ----

function compareClasses(file) {
    const ours = fs.readFileSync(file, "latin1");
    let compared = 0, newer = 0, wrong = 0;
    for (let code = 0x80; code < 0x110000; code++) {
        if (code >= 0xd800 && code < 0xe000) continue;
        const c = String.fromCodePoint(code);
        const theirs = /\p{L}/u.test(c) ? "L" : /\p{N}/u.test(c) ? "N" : /\p{White_Space}/u.test(c) ? "S" : "O";
        const mine = ours[code] === "U" ? "O" : ours[code];
        compared++;
        if (mine === theirs) continue;
        // assigned by a Unicode that only one of the two knows
        if (ours[code] === "U" || /\p{Cn}/u.test(c)) newer++;
        else if (wrong++ < 10) console.error(`U+${code.toString(16)}: ${theirs} expected, ${ours[code]} found`);
    }
    console.log(`${compared} code points, ${newer} known to one side only (V8: Unicode ${process.versions.unicode})`);
    return compared === 0x110000 - 0x800 - 0x80 && wrong === 0 ? 0 : 1;
}

const [verb, first, second] = process.argv.slice(2);
if (verb === "make") await make(first, second);
else process.exit(compareClasses(first));
