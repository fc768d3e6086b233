using System.Buffers.Binary;
using System.Globalization;
using System.Text;
using RepNoise.Host.Tests.Support;

namespace RepNoise.Host.Tests.Evaluation;

/// <summary>
/// A text classifier in ONNX of a dozen numbers, written byte by byte as protocol buffers: the mean over a text's tokens of a row for each
/// token, which is its logits. It takes texts of any number and length.
/// </summary>
internal static class TinyClassifier
{
    private const int Float = 1, Int64 = 7;

    /// <summary>Writes model.onnx, tokenizer.json and config.json.</summary>
    /// <param name="folder">Where to.</param>
    /// <param name="tokens">WordPiece tokens; the first is the unknown one.</param>
    /// <param name="logits">A row of each token.</param>
    /// <param name="labels">Names of the labels.</param>
    /// <param name="readsMask">Whether the mean leaves out what attention_mask does.</param>
    /// <param name="padId">Named as the pad token; null names none.</param>
    public static string Write(
        TempFolder folder, string[] tokens, float[][] logits, string[] labels, bool readsMask = false, int? padId = null)
    {
        folder.Write("classifier/model.onnx", Model(logits, readsMask));
        folder.Write("classifier/tokenizer.json", $$"""
            {"version":"1.0","truncation":null,"padding":null,"added_tokens":[],"normalizer":{"type":"BertNormalizer","clean_text":true,"handle_chinese_chars":true,"strip_accents":null,"lowercase":true},
             "pre_tokenizer":{"type":"BertPreTokenizer"},"post_processor":null,"decoder":{"type":"WordPiece","prefix":"##","cleanup":true},
             "model":{"type":"WordPiece","unk_token":"{{tokens[0]}}","continuing_subword_prefix":"##","max_input_chars_per_word":100,
             "vocab":{ {{string.Join(",", tokens.Select((token, i) => $"\"{token}\":{i}"))}} } } }
            """);
        folder.Write("classifier/config.json", $$"""{"id2label":{ {{string.Join(",", labels.Select((label, i) => $"\"{i}\":\"{label}\""))}} },"max_position_embeddings":8,"pad_token_id":{{padId?.ToString(CultureInfo.InvariantCulture) ?? "null"}}}""");
        return folder["classifier"];
    }

    private static byte[] Model(float[][] table, bool readsMask)
    {
        byte[] values = new byte[4 * table.Length * table[0].Length];
        for (int i = 0; i < values.Length / 4; i++) BinaryPrimitives.WriteSingleLittleEndian(values.AsSpan(4 * i), table[i / table[0].Length][i % table[0].Length]);
        byte[] initializer = [.. Number(1, table.Length), .. Number(1, table[0].Length), .. Number(2, Float), .. Text(8, "table"), .. Bytes(9, values)];
        byte[] gather = Node("Gather", "rows", ["table", "input_ids"]), overTokens = [.. Axis(1), .. Integer("keepdims", 0)];
        byte[][] nodes = !readsMask
            ? [gather, Node("ReduceMean", "logits", ["rows"], overTokens)]
            :
            [
                gather, Node("Cast", "mask", ["attention_mask"], Integer("to", Float)), Node("Unsqueeze", "column", ["mask"], Axis(2)), Node("Mul", "kept", ["rows", "column"]),
                Node("ReduceMean", "sum", ["kept"], overTokens), Node("ReduceMean", "share", ["column"], overTokens), Node("Div", "logits", ["sum", "share"]),
            ];
        byte[] graph =
        [
            .. nodes.SelectMany(node => Bytes(1, node)), .. Text(2, "tiny"), .. Bytes(5, initializer), .. Bytes(11, Value("input_ids", Int64, "b", "t")),
            .. Bytes(11, Value("attention_mask", Int64, "b", "t")), .. Bytes(12, Value("logits", Float, "b", "k")),
        ];
        byte[] opset = [.. Text(1, ""), .. Number(2, 12)];
        return [.. Number(1, 8), .. Bytes(7, graph), .. Bytes(8, opset)];
    }

    private static byte[] Node(string operation, string output, string[] inputs, params byte[] attributes) =>
        [.. inputs.SelectMany(input => Text(1, input)), .. Text(2, output), .. Text(4, operation), .. attributes];

    private static byte[] Axis(int axis) => Bytes(5, [.. Text(1, "axes"), .. Number(8, axis), .. Number(20, 7)]);

    private static byte[] Integer(string name, int value) => Bytes(5, [.. Text(1, name), .. Number(3, value), .. Number(20, 2)]);

    private static byte[] Value(string name, int type, params string[] dimensions)
    {
        byte[] shape = [.. dimensions.SelectMany(dimension => Bytes(1, Text(2, dimension)))];
        byte[] tensor = [.. Number(1, type), .. Bytes(2, shape)];
        return [.. Text(1, name), .. Bytes(2, Bytes(1, tensor))];
    }

    private static byte[] Number(int field, long value) => [.. Varint(field << 3), .. Varint(value)];

    private static byte[] Text(int field, string text) => Bytes(field, Encoding.UTF8.GetBytes(text));

    private static byte[] Bytes(int field, byte[] bytes) => [.. Varint(field << 3 | 2), .. Varint(bytes.Length), .. bytes];

    private static byte[] Varint(long value)
    {
        var bytes = new List<byte>();
        for (ulong left = (ulong)value; ; left >>= 7)
        {
            if (left < 128) return [.. bytes, (byte)left];
            bytes.Add((byte)(left & 127 | 128));
        }
    }
}
