using System.Text;
using RepNoise.Host.Checkpoints;
using RepNoise.Host.Tests.Support;
using static RepNoise.Host.Tests.Checkpoints.SafetensorsBytes;

namespace RepNoise.Host.Tests.Checkpoints;

public sealed class SafetensorsFileTests : IDisposable
{
    private readonly TempFolder folder = new();

    public void Dispose() => folder.Dispose();

    [Fact]
    public void Lists_tensors_by_their_place_in_the_file_with_metadata()
    {
        string header = $"{{{Entry("late", "F32", "[2]", "[16,24]")},\"__metadata__\":{{\"format\":\"pt\",\"b\":\"\\u00e9\"}},{Entry("early", "I64", "[1,2]", "[0,16]")}}}   ";
        using var file = Open(Of(header, 24));
        Assert.Equal(["early", "late"], file.Tensors.Select(t => t.Name));
        Assert.Equal([1L, 2L], file["early"].Shape);
        Assert.Equal((DType.F32, 2L, 8L), (file["late"].DType, file["late"].Count, file["late"].ByteLength));
        Assert.Equal([KeyValuePair.Create("format", "pt"), KeyValuePair.Create("b", "é")], file.Metadata);
        Assert.True(file.Contains("late"));
        Assert.False(file.Contains("__metadata__"));
    }

    [Fact]
    public void Accepts_scalars_tensors_without_elements_and_files_without_tensors()
    {
        using var file = Open(Of($"{{{Entry("none", "F32", "[0,7]", "[4,4]")},{Entry("scalar", "F32", "[]", "[0,4]")}}}", BitConverter.GetBytes(2.5f)));
        float[] value = new float[1];
        file.ReadInto("scalar", 0, value);
        Assert.Equal(2.5f, value[0]);
        Assert.Equal(0, file["none"].Count);
        file.ReadInto("none", 0, Span<float>.Empty);
        using var empty = Open(Of("{}", 0));
        Assert.Empty(empty.Tensors);
    }

    [Theory]
    [InlineData("BOOL", 1)]
    [InlineData("U8", 1)]
    [InlineData("I8", 1)]
    [InlineData("F8_E5M2", 1)]
    [InlineData("F8_E4M3", 1)]
    [InlineData("F8_E8M0", 1)]
    [InlineData("I16", 2)]
    [InlineData("U16", 2)]
    [InlineData("F16", 2)]
    [InlineData("BF16", 2)]
    [InlineData("I32", 4)]
    [InlineData("U32", 4)]
    [InlineData("F32", 4)]
    [InlineData("I64", 8)]
    [InlineData("U64", 8)]
    [InlineData("F64", 8)]
    [InlineData("C64", 8)]
    public void Knows_the_size_of_every_dtype(string dtype, int size)
    {
        using var file = Open(Of($"{{{Entry("a", dtype, "[3]", $"[0,{3 * size}]")}}}", 3 * size));
        Assert.Equal(dtype, file["a"].DType.Name());
        Assert.Equal(3, file["a"].Count);
        Assert.Equal(3 * size, file.Bytes("a").Length);
    }

    public static TheoryData<SafetensorsError, byte[]> Malformed()
    {
        string good = Entry("a", "F32", "[2]", "[0,8]");
        string huge = long.MaxValue.ToString(System.Globalization.CultureInfo.InvariantCulture);
        var data = new TheoryData<SafetensorsError, byte[]>
        {
            { SafetensorsError.TooShort, [] },
            { SafetensorsError.TooShort, [1, 0, 0, 0, 0, 0, 0] },
            { SafetensorsError.HeaderTooLong, [.. BitConverter.GetBytes(100_000_001L), .. new byte[100]] },
            { SafetensorsError.HeaderTooLong, [.. BitConverter.GetBytes(-1L), .. new byte[100]] },
            { SafetensorsError.HeaderTooLong, [.. BitConverter.GetBytes(long.MaxValue), .. new byte[100]] },
            { SafetensorsError.HeaderTruncated, [.. BitConverter.GetBytes(101L), .. new byte[100]] },
            { SafetensorsError.HeaderNotUtf8, Of([(byte)'{', 0xff, (byte)'}'], []) },
            { SafetensorsError.HeaderNotUtf8, Of([.. "{\""u8, 0xc3, .. "\":{}}"u8], []) },
            { SafetensorsError.HeaderNotObject, Of("", 0) },
            { SafetensorsError.HeaderNotObject, Of("[]", 0) },
            { SafetensorsError.HeaderNotObject, Of(" {}", 0) },
            { SafetensorsError.HeaderMalformed, Of("{", 0) },
            { SafetensorsError.HeaderMalformed, Of("{}x", 0) },
            { SafetensorsError.HeaderMalformed, Of("{}{}", 0) },
            { SafetensorsError.HeaderMalformed, Of($"{{{good},}}", 8) },
            { SafetensorsError.HeaderMalformed, Of("{\"\\ud800\":1}", 0) },
            { SafetensorsError.HeaderMalformed, Of($"{{{Entry("a", "F32", "[NaN]", "[0,8]")}}}", 8) },
            { SafetensorsError.DuplicateKey, Of($"{{{good},{good}}}", 8) },
            { SafetensorsError.DuplicateKey, Of($"{{{good},{good.Replace("\"a\"", "\"\\u0061\"", StringComparison.Ordinal)}}}", 8) },
            { SafetensorsError.DuplicateKey, Of("{\"__metadata__\":{},\"__metadata__\":{}}", 0) },
            { SafetensorsError.DuplicateKey, Of("{\"__metadata__\":{\"k\":\"1\",\"k\":\"2\"}}", 0) },
            { SafetensorsError.DuplicateKey, Of("{\"a\":{\"dtype\":\"F32\",\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}", 8) },
            { SafetensorsError.DuplicateKey, Of("{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"shape\":[2],\"data_offsets\":[0,8]}}", 8) },
            { SafetensorsError.BadMetadata, Of("{\"__metadata__\":[]}", 0) },
            { SafetensorsError.BadMetadata, Of("{\"__metadata__\":null}", 0) },
            { SafetensorsError.BadMetadata, Of("{\"__metadata__\":{\"n\":1}}", 0) },
            { SafetensorsError.BadEntry, Of("{\"a\":1}", 0) },
            { SafetensorsError.BadEntry, Of("{\"a\":{\"dtype\":\"F32\",\"shape\":[2]}}", 8) },
            { SafetensorsError.BadEntry, Of("{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8],\"x\":1}}", 8) },
            { SafetensorsError.UnknownDType, Of($"{{{Entry("a", "F33", "[2]", "[0,8]")}}}", 8) },
            { SafetensorsError.UnknownDType, Of($"{{{Entry("a", "f32", "[2]", "[0,8]")}}}", 8) },
            { SafetensorsError.UnknownDType, Of("{\"a\":{\"dtype\":4,\"shape\":[2],\"data_offsets\":[0,8]}}", 8) },
            { SafetensorsError.BadShape, Of($"{{{Entry("a", "F32", "[-2]", "[0,8]")}}}", 8) },
            { SafetensorsError.BadShape, Of($"{{{Entry("a", "F32", "[2.0]", "[0,8]")}}}", 8) },
            { SafetensorsError.BadShape, Of($"{{{Entry("a", "F32", "[9223372036854775808]", "[0,8]")}}}", 8) },
            { SafetensorsError.BadShape, Of($"{{{Entry("a", "F32", "[1e9]", "[0,8]")}}}", 8) },
            { SafetensorsError.BadShape, Of($"{{{Entry("a", "F32", "[\"2\"]", "[0,8]")}}}", 8) },
            { SafetensorsError.BadShape, Of($"{{{Entry("a", "F32", "2", "[0,8]")}}}", 8) },
            { SafetensorsError.BadShape, Of($"{{{Entry("a", "F32", $"[{huge},{huge}]", "[0,8]")}}}", 8) },
            { SafetensorsError.BadShape, Of($"{{{Entry("a", "F64", "[1152921504606846976]", "[0,8]")}}}", 8) },
            { SafetensorsError.BadOffsets, Of($"{{{Entry("a", "F32", "[2]", "[0]")}}}", 8) },
            { SafetensorsError.BadOffsets, Of($"{{{Entry("a", "F32", "[2]", "[0,8,16]")}}}", 8) },
            { SafetensorsError.BadOffsets, Of($"{{{Entry("a", "F32", "[2]", "[-8,0]")}}}", 8) },
            { SafetensorsError.BadOffsets, Of($"{{{Entry("a", "F32", "[2]", "[0,8.5]")}}}", 8) },
            { SafetensorsError.BadOffsets, Of($"{{{Entry("a", "F32", "[2]", "[0,99999999999999999999]")}}}", 8) },
            { SafetensorsError.BadOffsets, Of($"{{{Entry("a", "F32", "[2]", "{}")}}}", 8) },
            { SafetensorsError.ReversedOffsets, Of($"{{{Entry("a", "F32", "[2]", "[8,0]")}}}", 8) },
            { SafetensorsError.SizeMismatch, Of($"{{{Entry("a", "F32", "[3]", "[0,8]")}}}", 8) },
            { SafetensorsError.SizeMismatch, Of($"{{{Entry("a", "F16", "[2]", "[0,8]")}}}", 8) },
            { SafetensorsError.Overlap, Of($"{{{good},{Entry("b", "F32", "[2]", "[4,12]")}}}", 12) },
            { SafetensorsError.Overlap, Of($"{{{good},{Entry("b", "F32", "[2]", "[0,8]")}}}", 8) },
            { SafetensorsError.Hole, Of($"{{{good},{Entry("b", "F32", "[2]", "[12,20]")}}}", 20) },
            { SafetensorsError.Hole, Of($"{{{Entry("a", "F32", "[2]", "[4,12]")}}}", 12) },
            { SafetensorsError.Truncated, Of($"{{{good}}}", 7) },
            { SafetensorsError.Truncated, Of($"{{{Entry("a", "U8", $"[{huge}]", $"[0,{huge}]")}}}", 8) },
            { SafetensorsError.TrailingBytes, Of($"{{{good}}}", 9) },
            { SafetensorsError.TrailingBytes, Of("{}", 1) },
        };
        return data;
    }

    [Theory]
    [MemberData(nameof(Malformed), DisableDiscoveryEnumeration = true)]
    public void Refuses_malformed_files_by_kind(SafetensorsError kind, byte[] bytes)
    {
        string path = folder.Write("model.safetensors", bytes);
        var error = Assert.Throws<SafetensorsException>(() => SafetensorsFile.Open(path));
        Assert.Equal(kind, error.Kind);
        Assert.Equal(path, error.Path);
        Assert.StartsWith(path, error.Message, StringComparison.Ordinal);
        Assert.Contains("; expected ", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Every_kind_of_malformation_has_a_case()
    {
        var covered = Malformed().Select(row => row.Data.Item1);
        SafetensorsError[] elsewhere = [SafetensorsError.Unreadable, SafetensorsError.MissingTensor, SafetensorsError.WrongDType, SafetensorsError.Changed];
        Assert.Empty(Enum.GetValues<SafetensorsError>().Except(covered).Except(elsewhere));
    }

    [Theory]
    [InlineData("absent.safetensors")]
    [InlineData(".")]
    [InlineData("nul\0.safetensors")]
    public void Refuses_what_cannot_be_opened(string name) =>
        Assert.Equal(SafetensorsError.Unreadable, Assert.Throws<SafetensorsException>(() => SafetensorsFile.Open(Path.Combine(folder.Path, name))).Kind);

    [Fact]
    public void A_file_that_is_cut_or_written_to_while_it_is_read_is_told()
    {
        string path = folder.Write("live.safetensors", Of($"{{{Entry("a", "F32", "[500]", "[0,2000]")}}}", 2000));
        using var file = SafetensorsFile.Open(path);
        file.ReadInto("a", 0, new float[500]);
        file.CheckUnchanged();
        using (var writer = new FileStream(path, FileMode.Open, FileAccess.Write, FileShare.ReadWrite)) writer.SetLength(1000);
        Assert.Equal(SafetensorsError.Changed, Assert.Throws<SafetensorsException>(() => file.ReadInto("a", 0, new float[500])).Kind);
        Assert.Equal(SafetensorsError.Changed, Assert.Throws<SafetensorsException>(file.CheckUnchanged).Kind);

        // Another file under the same name is none of this one's business.
        string other = folder.Write("other.safetensors", Of($"{{{Entry("a", "F32", "[500]", "[0,2000]")}}}", 2000));
        using var renamed = SafetensorsFile.Open(other);
        folder.Write("new.safetensors", Of("{}", 0));
        File.Move(folder["new.safetensors"], other, overwrite: true);
        renamed.ReadInto("a", 0, new float[500]);
        renamed.CheckUnchanged();
    }

    [Theory]
    [InlineData(new byte[] { 0x50, 0x4b, 3, 4, 0, 0, 8, 8 })]
    [InlineData(new byte[] { 0x50, 0x4b, 3, 4, 0, 0, 0, 0 })]
    [InlineData(new byte[] { 0x80, 2, 0x8a, 10, 0x6c, 0xfc, 0x9c, 0x46 })]
    public void A_pickle_is_never_read_and_the_way_to_convert_it_is_told(byte[] head)
    {
        string path = folder.Write("renamed.safetensors", [.. head, .. new byte[100]]);
        var error = Assert.Throws<SafetensorsException>(() => SafetensorsFile.Open(path));
        Assert.Equal(SafetensorsError.HeaderTooLong, error.Kind);
        Assert.Contains("PyTorch's pickle", error.Problem, StringComparison.Ordinal);
        Assert.Contains("save_pretrained", error.Remedy, StringComparison.Ordinal);
    }

    [Fact]
    public void A_pointer_of_git_lfs_is_recognised()
    {
        string path = folder.Write("lfs.safetensors", "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n");
        var error = Assert.Throws<SafetensorsException>(() => SafetensorsFile.Open(path));
        Assert.Equal(SafetensorsError.HeaderTooLong, error.Kind);
        Assert.Contains("git lfs pull", error.Remedy, StringComparison.Ordinal);
    }

    [Fact]
    public void Nesting_cannot_overflow_the_stack()
    {
        byte[] header = Encoding.UTF8.GetBytes("{\"a\":" + new string('[', 1_000_000));
        string path = folder.Write("deep.safetensors", Of(header, []));
        Assert.Equal(SafetensorsError.BadEntry, Assert.Throws<SafetensorsException>(() => SafetensorsFile.Open(path)).Kind);
        path = folder.Write("deeper.safetensors", Of("{\"a\":{\"shape\":" + new string('[', 1_000_000), 0));
        Assert.Equal(SafetensorsError.BadShape, Assert.Throws<SafetensorsException>(() => SafetensorsFile.Open(path)).Kind);
    }

    [Fact]
    public void Hostile_names_are_cut_and_escaped_in_messages()
    {
        string name = "\\u001b[31m\\n" + new string('x', 100_000);
        string path = folder.Write("name.safetensors", Of($"{{{Entry(name, "F32", "[3]", "[0,8]")}}}", 8));
        var error = Assert.Throws<SafetensorsException>(() => SafetensorsFile.Open(path));
        Assert.True(error.Message.Length < 1000);
        Assert.DoesNotContain(error.Message, char.IsControl);
    }

    [Fact]
    public void Asking_for_an_absent_tensor_names_it()
    {
        using var file = Open(Of("{}", 0));
        var error = Assert.Throws<SafetensorsException>(() => file["model.norm.weight"]);
        Assert.Equal((SafetensorsError.MissingTensor, "model.norm.weight"), (error.Kind, error.Tensor));
    }

    [Fact]
    public void Reads_every_number_type_in_parts()
    {
        (string DType, byte[] Bytes)[] cases =
        [
            ("F64", [.. new[] { 1.5, -2, 3 }.SelectMany(BitConverter.GetBytes)]),
            ("F32", [.. new[] { 1.5f, -2, 3 }.SelectMany(BitConverter.GetBytes)]),
            ("F16", [.. new[] { (Half)1.5f, (Half)(-2), (Half)3 }.SelectMany(BitConverter.GetBytes)]),
            ("BF16", [0xc0, 0x3f, 0x00, 0xc0, 0x40, 0x40]),
        ];
        foreach (var (dtype, bytes) in cases)
        {
            using var file = Open(Of($"{{{Entry("a", dtype, "[3]", $"[0,{bytes.Length}]")}}}", bytes));
            float[] floats = new float[2];
            double[] doubles = new double[3];
            file.ReadInto("a", 1, floats);
            file.ReadInto("a", 0, doubles);
            Assert.Equal([-2f, 3f], floats);
            Assert.Equal([1.5, -2, 3], doubles);
            Assert.Equal(SafetensorsError.WrongDType, Assert.Throws<SafetensorsException>(() => file.ReadInto("a", 0, new long[3])).Kind);
        }
    }

    [Theory]
    [InlineData("I64", 8, true)]
    [InlineData("I32", 4, true)]
    [InlineData("I16", 2, true)]
    [InlineData("I8", 1, true)]
    [InlineData("U32", 4, false)]
    [InlineData("U16", 2, false)]
    [InlineData("U8", 1, false)]
    [InlineData("BOOL", 1, false)]
    public void Reads_integers_with_their_sign(string dtype, int size, bool signed)
    {
        byte[] bytes = [.. Enumerable.Repeat((byte)0xff, size), 1, .. new byte[size - 1]];
        using var file = Open(Of($"{{{Entry("a", dtype, "[2]", $"[0,{2 * size}]")}}}", bytes));
        long[] values = new long[2];
        file.ReadInto("a", 0, values);
        long expected = signed ? -1 : (1L << (8 * size)) - 1;
        Assert.Equal([expected, 1], values);
        double[] doubles = new double[2];
        file.ReadInto("a", 0, doubles);
        Assert.Equal([expected, 1.0], doubles);
    }

    [Fact]
    public void Ranges_outside_a_tensor_are_refused_even_where_the_file_goes_on()
    {
        using var file = Open(Of($"{{{Entry("a", "F32", "[2]", "[0,8]")},{Entry("b", "F32", "[2]", "[8,16]")}}}", 16));
        Assert.Throws<ArgumentOutOfRangeException>(() => file.ReadInto("a", 1, new float[2]));
        Assert.Throws<ArgumentOutOfRangeException>(() => file.ReadInto("a", -1, new float[1]));
        Assert.Throws<ArgumentOutOfRangeException>(() => file.ReadInto("a", long.MaxValue, new float[1]));
        Assert.Throws<ArgumentOutOfRangeException>(() => file.Bytes("a", 4, 5).Length);
        file.Dispose();
        Assert.Throws<ObjectDisposedException>(() => file.Bytes("a").Length);
    }

    [Fact]
    public void A_claimed_size_allocates_nothing()
    {
        string path = folder.Write("claim.safetensors", Of($"{{{Entry("a", "F32", "[1000000000000]", "[0,4000000000000]")}}}", 8));
        long before = GC.GetAllocatedBytesForCurrentThread();
        Assert.Throws<SafetensorsException>(() => SafetensorsFile.Open(path));
        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, 1 << 20);
    }

    [Fact]
    public void Tensors_beyond_2_GB_are_read_in_parts()
    {
        const long Count = 700_000_000;
        string path = folder.Write("large.safetensors", Of($"{{{Entry("a", "F32", $"[{Count}]", $"[0,{4 * Count}]")}}} ", 0));
        using (var stream = File.OpenWrite(path))
        {
            // Sparse: only the last page takes room.
            stream.SetLength(stream.Length + 4 * Count);
            stream.Seek(-8, SeekOrigin.End);
            stream.Write([.. BitConverter.GetBytes(1.5f), .. BitConverter.GetBytes(-2f)]);
        }

        using var file = SafetensorsFile.Open(path);
        float[] values = new float[3];
        file.ReadInto("a", Count - 3, values);
        Assert.Equal([0, 1.5f, -2f], values);
        Assert.Equal(BitConverter.GetBytes(-2f), file.Bytes("a", 4 * (Count - 1), 4));
        Assert.Throws<ArgumentOutOfRangeException>(() => file.Bytes("a").Length);
    }

    [Theory]
    [InlineData("mistral")]
    [InlineData("qwen2")]
    public void Reads_the_goldens_as_the_naive_reader_does(string model)
    {
        string path = Path.Combine(Goldens.Folder, model, "model.safetensors");
        using var file = SafetensorsFile.Open(path);
        var expected = NaiveSafetensors.Read(path);
        Assert.Equal(expected.Keys.Order(), file.Tensors.Select(t => t.Name).Order());
        foreach (var tensor in expected.Values)
        {
            Assert.Equal(tensor.Bytes, file.Bytes(tensor.Name));
            float[] floats = new float[file[tensor.Name].Count];
            file.ReadInto(tensor.Name, 0, floats);
            Assert.Equal(tensor.Floats(), floats);
        }
    }

    private SafetensorsFile Open(byte[] bytes) => SafetensorsFile.Open(folder.Write($"{Guid.NewGuid():n}.safetensors", bytes));
}
