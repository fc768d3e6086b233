using CsCheck;
using Parquet;
using Parquet.Schema;
using RepNoise.Host.Data;
using RepNoise.Host.Tests.Support;

namespace RepNoise.Host.Tests.Data;

public sealed class ParquetRowsTests : IDisposable
{
    private readonly TempFolder folder = new();

    public void Dispose() => folder.Dispose();

    [Fact]
    public async Task Rows_of_all_groups_are_read_with_their_numbers()
    {
        string path = await WriteAsync([["P", "Q"], ["Z"]], [false, true]);
        var data = PairReader.Read(path);
        Assert.Equal((PairLayout.BeaverTails, 3, 1), (data.Layout, data.Rows, data.HarmlessRows));
        Assert.Equal(["Question: P\nAnswer:P!", "Question: Z\nAnswer:Z!"], data.Pairs.Select(p => p.Harmful));
        Assert.Equal($"{path}, row 3", data.Pairs[1].Place);
    }

    [Fact]
    public async Task Nulls_wrong_types_and_missing_columns_are_named()
    {
        string path = await WriteAsync([["P", null]], [false, false]);
        Assert.Contains("\"prompt\" is null", Fail(path, "prompt").Problem, StringComparison.Ordinal);
        Assert.Equal($"{path}, row 2", Fail(path, "prompt").Place);
        Assert.Contains("of type Boolean", Fail(path, "is_safe").Problem, StringComparison.Ordinal);
        Assert.Contains("did you mean \"prompt\"", Fail(path, "promt").Remedy, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Fields_of_a_struct_are_paths()
    {
        var text = new DataField<string>("text");
        var schema = new ParquetSchema(new StructField("prompt", text));
        string path = folder["s.parquet"];
        await using (var stream = File.Create(path))
        await using (var writer = await ParquetWriter.CreateAsync(schema, stream, cancellationToken: TestContext.Current.CancellationToken))
        {
            using var group = writer.CreateRowGroup();
            await group.WriteAsync(text, ["A", "B"]);
        }
        Assert.Equal(["A", "B"], RowSource.Read(path).Select(row => row.Text("prompt.text")));
    }

    [Fact]
    public async Task Lists_of_texts_are_read_and_others_named()
    {
        DataField<string> choice = new("element");
        DataField<int> count = new("element");
        ListField choices = new("choices", choice), counts = new("counts", count);
        string path = folder["l.parquet"];
        await using (var stream = File.Create(path))
        await using (var writer = await ParquetWriter.CreateAsync(new ParquetSchema(choices, counts), stream, cancellationToken: TestContext.Current.CancellationToken))
        {
            foreach (string last in (string[])["c", "d"])
            {
                using var group = writer.CreateRowGroup();
                // Rows: two texts; an empty list; no list; a text and a null.
                await group.WriteAllPartsAsync<ReadOnlyMemory<char>>(
                    choice, new[] { "a".AsMemory(), "b".AsMemory(), last.AsMemory() }, new[] { 3, 3, 1, 0, 3, 2 }, new[] { 0, 1, 0, 0, 0, 1 }, TestContext.Current.CancellationToken);
                await group.WriteAllPartsAsync<int>(count, new[] { 1, 2, 3, 4 }, new[] { 2, 2, 2, 2 }, new[] { 0, 0, 0, 0 }, TestContext.Current.CancellationToken);
            }
        }

        List<string> found = [];
        foreach (var row in RowSource.Read(path))
        {
            try
            {
                found.Add(string.Join('+', row.Texts("choices")));
            }
            catch (DataException e)
            {
                found.Add(e.Problem);
            }

            Assert.Contains("is a list of Int32", Assert.Throws<DataException>(() => row.Texts("counts")).Problem, StringComparison.Ordinal);
        }

        string[] rows = ["a+b", "", "field \"choices\" is null", "field \"choices\" is a list with null"];
        Assert.Equal([.. rows, .. rows], found);
    }

    [Fact]
    public async Task Damaged_files_give_rows_or_a_typed_error()
    {
        byte[] good = await File.ReadAllBytesAsync(await WriteAsync([["P", "Q"]], [false, true]), TestContext.Current.CancellationToken);
        Gen.Select(Gen.Int[4, good.Length], Gen.Int[0, good.Length - 1], Gen.Byte).Sample((length, at, value) =>
        {
            byte[] bad = good[..length];
            bad[at % length] = value;
            string path = folder.Write("bad.parquet", bad);
            try
            {
                Assert.NotEmpty(PairReader.Read(path).Pairs);
            }
            catch (DataException e)
            {
                Assert.StartsWith(path, e.Place, StringComparison.Ordinal);
            }
        }, seed: "0000KOIPe3J3", iter: 500, threads: 1);
    }

    private static DataException Fail(string path, string field) =>
        Assert.Throws<DataException>(() => RowSource.Read(path).Select(row => row.Text(field)).ToList());

    private async Task<string> WriteAsync(string?[][] groups, bool[] safe)
    {
        DataField<string> prompt = new("prompt"), response = new("response"), refusal = new("refusal");
        var isSafe = new DataField<bool>("is_safe");
        string path = folder["p.parquet"];
        await using var stream = File.Create(path);
        await using var writer = await ParquetWriter.CreateAsync(new ParquetSchema(prompt, response, refusal, isSafe), stream);
        foreach (var texts in groups)
        {
            using var group = writer.CreateRowGroup();
            await group.WriteAsync(prompt, texts!);
            await group.WriteAsync(response, texts.Select(t => t + "!").ToArray());
            await group.WriteAsync(refusal, texts.Select(t => $"Question: {t}\nAnswer: No.").ToArray());
            await group.WriteAsync<bool>(isSafe, safe.AsMemory(0, texts.Length));
        }
        return path;
    }
}
