using System.Text;
using CsCheck;
using RepNoise.Host.Data;
using RepNoise.Host.Tests.Support;

namespace RepNoise.Host.Tests.Data;

/// <summary>One kind of malformation, one test: the error names its fault and its place.</summary>
public sealed class JsonRowsTests : IDisposable
{
    private readonly TempFolder folder = new();

    public void Dispose() => folder.Dispose();

    [Theory]
    [InlineData("{\"a\":\"1\"}\n{\"a\":\n", "2:6")] // cut in a value
    [InlineData("{\"a\":\"1\"}\n{\"a\":\"1\",\"a\":\"2\"}", "2")] // duplicate key
    [InlineData("{\"a\":\"1\"}\n\n[1]", "3")] // no object
    [InlineData("{\"a\":\"1\"} x", "1:11")] // text after the object
    [InlineData("[\n {\"a\":\"1\"},\n {\"a\" \"2\"}]", "3:7")] // broken element
    [InlineData("[\n {\"a\":\"1\"},\n {\"a\":\n  tru}]", "4:6")] // broken line inside an element
    [InlineData("[{\"a\":\"1\"},\n]", "2:1")] // trailing comma
    [InlineData("[{\"a\":\"1\"}\n {\"a\":\"1\"}]", "2:2")] // missing comma
    [InlineData("[\n 3]", "2:2")] // element is no object
    [InlineData("[{\"a\":\"1\"}", "1:11")] // missing bracket
    [InlineData("[{\"a\":\"1\"}] x", "1:13")] // text after the array
    [InlineData("[\n{\"a\":\"1", "2:1")] // cut in a string
    public void Malformed_JSON_is_placed(string text, string place)
    {
        string path = folder.Write("x.json", text);
        var e = Assert.Throws<DataException>(() => ReadAll(path));
        Assert.Equal((DataFault.Syntax, $"{path}:{place}"), (e.Fault, e.Place));
    }

    [Theory]
    [InlineData("")]
    [InlineData(" \n\t\n")]
    [InlineData("\uFEFF")]
    [InlineData("[]")]
    public void Empty_files_are_refused(string text)
    {
        string path = folder.Write("x.json", text);
        Assert.Equal(DataFault.Empty, Assert.Throws<DataException>(() => PairReader.Read(path)).Fault);
    }

    [Fact]
    public void Files_of_other_kinds_are_named()
    {
        Assert.Contains("gzip", Fail(folder.Write("x.json", 0x1f, 0x8b, 8, 0)).Problem, StringComparison.Ordinal);
        Assert.Contains("UTF-16", Fail(folder.Write("x.json", 0xff, 0xfe, (byte)'[', 0)).Problem, StringComparison.Ordinal);
        Assert.Equal(DataFault.Unreadable, Fail(folder["absent.json"]).Fault);
        Assert.Equal(DataFault.Unreadable, Fail(folder[""]).Fault);
    }

    [Fact]
    public void Invalid_UTF8_is_placed()
    {
        string path = folder.Write("x.jsonl", [.. "{\"a\":\"é\"}\n{\"a\":\""u8, 0xe9, .. "\"}"u8]);
        var e = Fail(path);
        Assert.Equal((DataFault.Encoding, path + ":2"), (e.Fault, e.Place));
        Assert.Contains("0xe9", e.Problem, StringComparison.Ordinal);
    }

    [Fact]
    public void Half_a_surrogate_pair_is_refused()
    {
        string path = folder.Write("x.jsonl", "{\"a\":\"\\ud83d\"}");
        Assert.Equal(DataFault.Encoding, Fail(path).Fault);
    }

    [Fact]
    public void A_row_without_end_stops_at_the_limit()
    {
        string path = folder["x.jsonl"];
        using (var file = File.Create(path))
        {
            file.Write("{\"a\":\"1\"}\n{\"a\":\""u8);
            file.SetLength(RowSource.MaxRowBytes + 100L);
        }
        var e = Fail(path);
        Assert.Equal((DataFault.TooLong, path + ":2"), (e.Fault, e.Place));
    }

    [Fact]
    public void Arrays_and_lines_of_any_text_read_the_same() => Gen.String.Array[1, 20].Sample(texts =>
    {
        // Unpaired surrogates have no UTF-8 form: the writer replaces them, so compare what was written.
        string[] rows = [.. texts.Select(t => new string([.. t.Where(c => !char.IsSurrogate(c))]))];
        var objects = rows.Select(t => $"{{\"a\":{System.Text.Json.JsonSerializer.Serialize(t)}}}").ToArray();
        Assert.Equal(rows, ReadAll(folder.Write("p.json", "[" + string.Join(" ,\n", objects) + "]")));
        Assert.Equal(rows, ReadAll(folder.Write("p.jsonl", string.Join("\n", objects))));
    }, seed: "0000KOIPe3J3", iter: 300, threads: 1);

    [Fact]
    public void Random_bytes_give_rows_or_a_typed_error() => Gen.OneOf(
        Gen.Byte.Array[0, 60],
        Gen.OneOf("[]{}\",:\\ \n\u00e9a0".Select(Gen.Const).ToArray()).Array[0, 40].Select(c => Encoding.UTF8.GetBytes(c))).Sample(bytes =>
    {
        string path = folder.Write("r.json", bytes);
        try
        {
            foreach (var row in RowSource.Read(path))
                Assert.StartsWith(path, row.Place, StringComparison.Ordinal);
        }
        catch (DataException e)
        {
            Assert.StartsWith(path, e.Place, StringComparison.Ordinal);
        }
    }, seed: "0000KOIPe3J3", iter: 3_000, threads: 1);

    private static DataException Fail(string path) => Assert.Throws<DataException>(() => ReadAll(path));

    private static List<string> ReadAll(string path) => RowSource.Read(path).Select(row => row.Text("a")).ToList();
}
