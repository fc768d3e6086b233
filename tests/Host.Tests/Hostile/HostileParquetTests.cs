using Parquet;
using Parquet.Schema;
using RepNoise.Host.Data;
using RepNoise.Host.Tests.Support;

namespace RepNoise.Host.Tests.Hostile;

/// <summary>Parquet files whose pages claim, or make their reader take, more memory than they have paid for.</summary>
public sealed class HostileParquetTests : IDisposable
{
    private const int Pages = 4;

    // Two inputs of the fuzzer: 1.6 GB were asked for, and the library did not come back.
    private const string ShortPage =
        "UEFSMRUAFTYVNiwVBhUAFQYVBhwYA3R3bxgDb25lFgAoA3R3bxgDb25lAAAAAAAAAACAAwAAAG9uZQMAMWU0MDADAAAAdHdvFQAVAhUCLBUGFQAVBhUGHDYAAAAABRUAFRYVNiwVBhUA"
        + "FQYVBhwYA3R3bxgDbzxlFgAoA3R3AAAAAAEAAAAAAgAAAAYA4fUFAAAAAQMAAAB0dwAAAMjD////FQAVAhUCLBUGFQAVBhUGHDYAAAAABRUCGTxIBHJvb3QVBAAVDCUCGAZwcm9tcHQl"
        + "AEwcAAAAFQAlABgHDHNfc2FmZQAWDBksGSwmCBwVDBklAAYZGAZwcm9tcHQVABYGFogBFogBJgg8GAN0d28YA29uZRYAKAN0d28YA29uZQAAACaQARwVABklAAYZGAdpc19zYWZlFQAW"
        + "BhYsFiwmkAE8NgAAAAAWtAGWBjG0AQAZLCa8ARwVDBklAAYZGAZwcm9tcHQVABYGFogBFogBJrwBPBgDdHdvGANvbmUWACgDdHdvGANvbmUAAAAmxAIcFQAZJQAGGRgHaXNfc2FmZRUA"
        + "FgYWLBYsJsQCPDYAAAAAFrQBFgZ2tAEAKEpQYXJxdWV0Lk6hdCB2ZXJzaW9uIDYuMS4wIChidWlsZCBjMTc5ZDkn/wAAAAAAAABmNDRhOTI0Mf////9mODY5ZDQ5NDdlZTU5KQBRAQAA"
        + "UEFSMQ==";

    private const string EndlessFooter =
        "UEFSMRUAFTYVNiwVBhUEFQYVBhwYA29uZQDh9QDh9QUAAAAAZQAAAAIAAAAGAQMAQABvbmUDAAAAdHdvAwAAAP//bxUAFQIVAiwVBhUAFQYVBhw2AAAAAAUVe30VBhUAFQYVBhwYA3R3"
        + "YhgDb25lFgAoA3R3bxhzYWZlABYMGSwZLCYIHBUMGSUABhkYBnByb21wdBUAFgYWiAEWiAIZvEgEcm9vdBUEABUMJQIYBnByb21wdCUATBywACIiABUIBQAYB2lzX3Nhe30ZLADh9QUA"
        + "AAAAJQAGXBgGcHJvbXB0FQAWBhaIARaIASYIPBgDdHdvGANvbmUWACgDdHdvGANvbmUAAAAmkAEcFQAZJQAGGRgHaXNfc2FmbRUAFgYWLBYsJpABPAAAABa0ATaGNrQBABksJrwBHBUM"
        + "GSUABhkYBnByb21wdBUAFgYWiAEWiAEmvAE8GAN0d28YA29uZRYAKAN0d28YA29uZQAAACbEAhwVABklAAYv/wdpc19zYWZlFQAWBhYsFiwmxAI8NgAAAQAAAAEWBja0AQAoSlBhcnF1"
        + "ZXQuTmV0IHZlcnNpb25QQVIxAAAAAAEAAABkIGMxNzlkOTdiZDI1NDliNWY0NGE5MjQxZTcAAAAyOWY4Njl0NDk0N2VlNTkpAFEBAABQQVIx";

    private static readonly DataField<string> Prompt = new("prompt");
    private readonly TempFolder folder = new();

    public void Dispose() => folder.Dispose();

    [Fact]
    public async Task A_Snappy_page_that_claims_gigabytes_is_refused_before_any_is_taken()
    {
        string path = await WriteAsync(CompressionMethod.Snappy, [.. Enumerable.Range(0, 50).Select(row => $"row {row * row}")]);
        byte[] bytes = await File.ReadAllBytesAsync(path, TestContext.Current.CancellationToken);
        BodyOfFirstPage(bytes, [0xff, 0xff, 0xff, 0xff, 0x0f]);
        AssertRefused(bytes, "claims to grow from ");
    }

    [Fact]
    public async Task A_Zstandard_page_that_claims_gigabytes_is_refused_before_any_is_taken()
    {
        string path = await WriteAsync(CompressionMethod.Zstd, [.. Enumerable.Range(0, 50).Select(row => $"row {row * row}")]);
        byte[] bytes = await File.ReadAllBytesAsync(path, TestContext.Current.CancellationToken);

        // A frame of one segment whose content size has 4 bytes, 2 GB, and one block that is stored as it is.
        byte[] frame = [0x28, 0xb5, 0x2f, 0xfd, 0xa0, 0, 0, 0, 0x80];
        int block = BodyOfFirstPage(bytes, frame) - frame.Length - 3;
        BodyOfFirstPage(bytes, [.. frame, (byte)((block << 3) | 1), (byte)(block >> 5), (byte)(block >> 13)]);
        AssertRefused(bytes, "claims to grow from ");
    }

    [Fact]
    public void A_page_of_fewer_values_than_it_claims_is_no_reason_to_read_behind_it() =>
        AssertRefused(Convert.FromBase64String(ShortPage), "hold fewer values than they claim");

    [Fact]
    public void A_field_that_the_library_takes_for_a_structure_is_refused_as_a_number() =>
        AssertRefused(Convert.FromBase64String(EndlessFooter), "malformed Parquet (field ");

    [Theory]
    [InlineData(CompressionMethod.None)]
    [InlineData(CompressionMethod.Snappy)]
    [InlineData(CompressionMethod.Gzip)]
    [InlineData(CompressionMethod.Zstd)]
    public async Task Rows_that_share_a_long_text_share_its_memory(CompressionMethod method)
    {
        const int rows = 2_000;
        string text = string.Concat(Enumerable.Range(0, 10_000).Select(word => $"{word * 7919 % 10_007} "));
        string path = await WriteAsync(method, [.. Enumerable.Repeat(text, rows)]);
        Assert.InRange(new FileInfo(path).Length, 0, 1 << 19);
        long before = GC.GetAllocatedBytesForCurrentThread();
        var texts = RowSource.Read(path).Select(row => row.Text("prompt")).ToList();
        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, 8 << 20);
        Assert.Equal(rows, texts.Count);
        Assert.All(texts, found => Assert.Same(texts[0], found));
        Assert.Equal(text, texts[0]);
    }

    private void AssertRefused(byte[] bytes, string problem)
    {
        string path = folder.Write("claim.parquet", bytes);
        long before = GC.GetAllocatedBytesForCurrentThread();
        var error = Assert.Throws<DataException>(() => RowSource.Read(path).Select(row => row.Text("prompt")).ToList());
        Assert.Contains(problem, error.Message, StringComparison.Ordinal);
        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, 1 << 20);
    }

    /// <summary>Overwrites the beginning of what the first page holds; how many bytes it holds.</summary>
    private static int BodyOfFirstPage(byte[] file, ReadOnlySpan<byte> beginning)
    {
        var header = new ThriftReader(file.AsSpan(Pages));
        header.Skip(ThriftReader.Kind.Struct);
        beginning.CopyTo(file.AsSpan(Pages + header.Position));
        header = new ThriftReader(file.AsSpan(Pages));
        for (int field = 0; ;)
        {
            var kind = header.Field(ref field);
            if (field == 3) return (int)header.Integer();
            header.Skip(kind);
        }
    }

    private async Task<string> WriteAsync(CompressionMethod method, string[] texts)
    {
        string path = folder["p.parquet"];
        var options = new ParquetOptions { CompressionMethod = method };
        options.ColumnEncodingHints["prompt"] = EncodingHint.Dictionary;
        await using var stream = File.Create(path);
        await using var writer = await ParquetWriter.CreateAsync(new ParquetSchema(Prompt), stream, options);
        using var group = writer.CreateRowGroup();
        await group.WriteAsync(Prompt, texts);
        return path;
    }
}
