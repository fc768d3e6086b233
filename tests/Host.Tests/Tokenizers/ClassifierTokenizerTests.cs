using System.Buffers.Binary;
using System.Globalization;
using System.Text;
using System.Text.Json;
using CsCheck;
using RepNoise.Host.Tokenizers;
using Oracle = Tokenizers.DotNet.Tokenizer;

namespace RepNoise.Host.Tests.Tokenizers;

/// <summary>
/// WordPiece and Unigram, with the components around them, against Hugging Face's Rust library (through Tokenizers.DotNet) on generated texts,
/// and on cases worked out by hand.
/// </summary>
public sealed class ClassifierTokenizerTests : IDisposable
{
    private const string Bert = """{"type":"BertNormalizer","clean_text":true,"handle_chinese_chars":true,"strip_accents":null,"lowercase":true}""";
    private const string Cased = """{"type":"BertNormalizer","clean_text":false,"handle_chinese_chars":false,"strip_accents":true,"lowercase":false}""";
    private const string BertWords = """{"type":"BertPreTokenizer"}""";
    private const string Metaspace = """{"type":"Metaspace","replacement":"▁","prepend_scheme":"always","split":true}""";

    private readonly TokenizerFiles files = new();

    [Theory]
    [InlineData("wordpiece", Bert, BertWords, """{"type":"BertProcessing","sep":["</s>",2],"cls":["<s>",1]}""")]
    [InlineData("wordpiece", Cased, """{"type":"Whitespace"}""", """{"type":"RobertaProcessing","sep":["</s>",2],"cls":["<s>",1],"trim_offsets":true,"add_prefix_space":false}""")]
    [InlineData("wordpiece", "null", """{"type":"Sequence","pretokenizers":[{"type":"WhitespaceSplit"},{"type":"Punctuation","behavior":"Isolated"}]}""", "null")]
    [InlineData("unigram", "null", Metaspace, "null")]
    [InlineData("unigram-bytes", "null", Metaspace, """{"type":"BertProcessing","sep":["</s>",2],"cls":["<s>",1]}""")]
    [InlineData("unigram", "{precompiled}", """{"type":"Sequence","pretokenizers":[{"type":"WhitespaceSplit"},{"type":"Metaspace","replacement":"▁","prepend_scheme":"first","split":true}]}""", "null")]
    public void Encodes_and_decodes_as_the_Rust_library(string model, string normalizer, string preTokenizer, string postProcessor)
    {
        string decoder = model == "wordpiece" ? """{"type":"WordPiece","prefix":"##","cleanup":true}""" : """{"type":"Metaspace","replacement":"▁","prepend_scheme":"always","split":true}""";
        normalizer = normalizer.Replace("{precompiled}", $$"""{"type":"Precompiled","precompiled_charsmap":"{{Charsmap(("ﬁ", "fi"), ("①", "1"), ("½", "1/2"), ("　", " "), ("é", "é"), ("A", "a"))}}"}""", StringComparison.Ordinal);
        string path = files.Write(Json(Model(model), normalizer, preTokenizer, postProcessor, decoder));
        using var oracle = new Oracle(path);
        var ours = Tokenizer.Load(path);
        TextGenerator.Texts.Sample(
            text =>
            {
                uint[] expected = oracle.Encode(text);
                int[] actual = ours.Encode(text);
                Assert.True(expected.AsSpan().SequenceEqual(Array.ConvertAll(actual, id => (uint)id)),
                    $"{JsonSerializer.Serialize(text)}\nexpected {string.Join(' ', expected)}\nactual   {string.Join(' ', actual)}");
                if (expected.Length > 0) Assert.Equal(oracle.Decode(expected), ours.Decode(actual));
            },
            seed: "0N0XIzNsQ0O2", iter: 400, threads: 1);
    }

    [Theory]
    [InlineData("unaffable", "un ##aff ##able")]
    [InlineData("unaffablez", "[UNK]")] // one rest without a token makes the whole word unknown
    [InlineData("Un,aff", "un , [UNK]")]
    [InlineData("", "")]
    public void A_word_is_cut_into_the_longest_pieces(string text, string expected)
    {
        string model = """{"type":"WordPiece","unk_token":"[UNK]","continuing_subword_prefix":"##","max_input_chars_per_word":100,"vocab":{"[UNK]":0,"un":1,"##aff":2,"##able":3,"##a":4,",":5}}""";
        var tokenizer = Tokenizer.Load(files.Write(Json(model, Bert, BertWords, "null", "null")));
        Assert.Equal(expected, string.Join(' ', tokenizer.Encode(text).Select(tokenizer.IdToToken)));
    }

    [Theory]
    [InlineData("abc", "ab c")] // -2 - 3 is above a + bc = -3 - 2.5 and a + b + c = -9
    [InlineData("abxyc", "ab <unk> c")] // unknown neighbours are one
    [InlineData("", "")]
    public void A_text_is_cut_where_the_scores_are_best(string text, string expected)
    {
        string model = """{"type":"Unigram","unk_id":0,"vocab":[["<unk>",0],["a",-3],["b",-3],["c",-3],["ab",-2],["bc",-2.5]]}""";
        var tokenizer = Tokenizer.Load(files.Write(Json(model, "null", "null", "null", "null")));
        Assert.Equal(expected, string.Join(' ', tokenizer.Encode(text).Select(tokenizer.IdToToken)));
    }

    [Theory]
    [InlineData("""{"type":"WordLevel","vocab":{}}""", "BPE, WordPiece or Unigram")]
    [InlineData("""{"type":"Unigram","unk_id":9,"vocab":[["a",0]]}""", "there is no token 9")]
    [InlineData("""{"type":"Unigram","unk_id":0,"vocab":[]}""", "there is no token")]
    [InlineData("""{"type":"Unigram","unk_id":0,"vocab":[["a"]]}""", "[token, score]")]
    [InlineData("""{"type":"Unigram","unk_id":0,"vocab":[["a",0],["a",1]]}""", "occurs twice")]
    [InlineData("""{"type":"WordPiece","vocab":{"a":0,"b":0}}""", "already belongs")]
    public void A_malformed_model_is_refused(string model, string problem)
    {
        string path = files.Write(Json(model, "null", "null", "null", "null"));
        Assert.Contains(problem, Assert.Throws<TokenizerException>(() => Tokenizer.Load(path)).Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("!", "not base64")]
    [InlineData("AAA=", "begin with the size 0")]
    [InlineData("BQAAAAAAAAA=", "begin with the size 5")]
    [InlineData("CAAAAAAAAAA=", "begin with the size 8")]
    public void A_malformed_table_of_replacements_is_refused(string table, string problem)
    {
        string path = files.Write(Json(Model("unigram"), $$"""{"type":"Precompiled","precompiled_charsmap":"{{table}}"}""", "null", "null", "null"));
        Assert.Contains(problem, Assert.Throws<TokenizerException>(() => Tokenizer.Load(path)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_table_of_random_bytes_neither_hangs_nor_crashes()
    {
        var random = new Random(9);
        for (int i = 0; i < 50; i++)
        {
            byte[] bytes = new byte[4 + 64 * 4 + 20];
            random.NextBytes(bytes);
            BinaryPrimitives.WriteUInt32LittleEndian(bytes, 64 * 4);
            var tokenizer = Tokenizer.Load(files.Write(Json(Model("unigram"), $$"""{"type":"Precompiled","precompiled_charsmap":"{{Convert.ToBase64String(bytes)}}"}""", "null", "null", "null")));
            Assert.NotEmpty(tokenizer.Encode("the cat ① ½ é 日本語 aaaa"));
        }
    }

    public void Dispose() => files.Dispose();

    private static string Json(string model, string normalizer, string preTokenizer, string postProcessor, string decoder) => $$"""
        {"version":"1.0","truncation":null,"padding":null,"added_tokens":[],"normalizer":{{normalizer}},"pre_tokenizer":{{preTokenizer}},
         "post_processor":{{postProcessor}},"decoder":{{decoder}},"model":{{model}}}
        """;

    /// <summary>A vocabulary of pieces that occur in the generated texts; many characters are left unknown.</summary>
    private static string Model(string kind)
    {
        string[] pieces =
        [
            "a", "b", "e", "n", "t", "x", "the", "th", "he", "cat", "hello", "world", "word", "wo", "or", "rd", "aa", "aaa", "ab", "aba", "don", "1", "2", "12", "345", "1/2", "fi",
            "'", ".", ",", "s", "re", "日", "本", "語", "日本", "при", "вет", "한", "국어", "<", ">", "unk", "é", "(", ")", ":", "n't", "f", "l", "o", "w", "r", "d", "h", "c", "i",
        ];
        if (kind == "wordpiece")
        {
            string[] tokens = ["[UNK]", "<s>", "</s>", .. pieces, .. pieces.Select(piece => "##" + piece)];
            return $$"""{"type":"WordPiece","unk_token":"[UNK]","continuing_subword_prefix":"##","max_input_chars_per_word":12,"vocab":{{JsonSerializer.Serialize(tokens.Select((token, i) => (token, i)).ToDictionary())}}}""";
        }

        bool bytes = kind == "unigram-bytes";
        string[] all =
        [
            "<unk>", "<s>", "</s>", "▁", .. pieces, .. pieces.Select(piece => "▁" + piece),
            .. bytes ? Enumerable.Range(0, 256).Select(value => string.Create(CultureInfo.InvariantCulture, $"<0x{value:X2}>")) : [],
        ];
        var vocab = all.Select((token, i) => new object[] { token, i < 3 ? 0 : -2 - (i * 37 % 101) / 16.0 - token.Length / 8.0 });
        return $$"""{"type":"Unigram","unk_id":0,"vocab":{{JsonSerializer.Serialize(vocab)}},"byte_fallback":{{(bytes ? "true" : "false")}}}""";
    }

    /// <summary>
    /// A table of replacements in the layout of darts-clone: unit = offset &lt;&lt; 10 | leaf &lt;&lt; 8 | label; a child lies at offset ^ label, the value of a
    /// text's end at offset itself.
    /// </summary>
    private static string Charsmap(params (string From, string To)[] pairs)
    {
        var texts = new List<byte>();
        var root = new SortedDictionary<int, object>();
        foreach (var (from, to) in pairs)
        {
            var node = root;
            foreach (byte value in Encoding.UTF8.GetBytes(from))
            {
                if (!node.TryGetValue(value, out object? child)) node[value] = child = new SortedDictionary<int, object>();
                node = (SortedDictionary<int, object>)child;
            }

            node[0] = texts.Count;
            texts.AddRange([.. Encoding.UTF8.GetBytes(to), 0]);
        }

        var units = new uint[256 * 64];
        int next = 1;
        Place(root, 0);
        byte[] bytes = new byte[4 + 4 * units.Length + texts.Count];
        BinaryPrimitives.WriteUInt32LittleEndian(bytes, (uint)(4 * units.Length));
        for (int i = 0; i < units.Length; i++) BinaryPrimitives.WriteUInt32LittleEndian(bytes.AsSpan(4 + 4 * i), units[i]);
        texts.CopyTo(bytes, 4 + 4 * units.Length);
        return Convert.ToBase64String(bytes);

        // Every node has a block of 256 units of its own, so that nothing collides. The array is as long as the blocks need.
        void Place(SortedDictionary<int, object> node, int at)
        {
            int block = 256 * next++;
            units[at] |= (uint)(block ^ at) << 10 | (node.ContainsKey(0) ? 1u << 8 : 0);
            foreach (var (label, child) in node)
            {
                if (label == 0) units[block] = 1u << 31 | (uint)(int)child;
                else
                {
                    units[block ^ label] = (uint)label;
                    Place((SortedDictionary<int, object>)child, block ^ label);
                }
            }
        }
    }
}
