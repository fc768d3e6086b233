using System.Globalization;
using RepNoise.Kernels.Cuda;
using RepNoise.Kernels.Tests.Support;

namespace RepNoise.Kernels.Tests;

/// <summary>Loading and launching of the handwritten kernels, apart from what they compute.</summary>
public sealed class CudaKernelTests
{
    [Fact]
    public void Parameters_are_laid_out_as_the_driver_does()
    {
        const string Text = """
            .visible .entry first(
            	.param .align 8 .b8 first_param_0[24],
            	.param .u64 .ptr .align 1 first_param_1,
            	.param .f32 first_param_2,
            	.param .u64 first_param_3
            )
            .maxntid 256
            {
            }
            .entry second()
            {
            }
            """;
        var entries = PtxEntry.Read(Text);
        Assert.Equal(["first", "second"], entries.Keys.Order());
        Assert.Equal([new(0, 24), new(24, 8), new(32, 4), new PtxParameter(40, 8)], entries["first"].Parameters);
        Assert.Equal(48, entries["first"].ParameterBytes);
        Assert.Equal(0, entries["second"].ParameterBytes);
    }

    [Fact]
    public void Every_module_is_embedded_with_entries()
    {
        var assembly = typeof(CudaDevice).Assembly;
        string[] modules = [.. assembly.GetManifestResourceNames().Where(name => name.StartsWith("ptx/", StringComparison.Ordinal))];
        Assert.Contains("ptx/norm.ptx", modules);
        foreach (string module in modules)
        {
            using var reader = new StreamReader(assembly.GetManifestResourceStream(module)!);
            string text = reader.ReadToEnd();
            Assert.NotEmpty(PtxEntry.Read(text));
            Assert.Contains(".target sm_", text, StringComparison.Ordinal);
        }
    }

    /// <summary>Devices of this process have no warpgroups, so nothing loads this module here: its parameters are compared without.</summary>
    [Fact]
    public void Warpgroup_kernels_take_what_is_passed_to_them()
    {
        using var reader = new StreamReader(typeof(CudaDevice).Assembly.GetManifestResourceStream("ptx/matmul_sm90.ptx")!);
        var entries = PtxEntry.Read(reader.ReadToEnd());
        Assert.Equal(WarpGroupMatmul.Tiles.Length * 4, entries.Count);
        foreach (var tile in WarpGroupMatmul.Tiles)
        {
            Assert.All((string[])["nn", "nt", "tn"], form => Assert.Equal(Passed("Arguments"), entries[$"matmul_{form}_{tile.Name}_bf16"].Parameters));
            Assert.Equal(Passed("LogitsArguments"), entries[$"matmul_logits_{tile.Name}_bf16"].Parameters);
        }

        static PtxParameter[] Passed(string name)
        {
            var arguments = typeof(WarpGroupMatmul).GetNestedType(name, System.Reflection.BindingFlags.NonPublic)!;
            var fields = arguments.GetFields(System.Reflection.BindingFlags.Instance | System.Reflection.BindingFlags.NonPublic);
            return [.. fields.Select(field => new PtxParameter((int)System.Runtime.InteropServices.Marshal.OffsetOf(arguments, field.Name), System.Runtime.InteropServices.Marshal.SizeOf(field.FieldType))).OrderBy(field => field.Offset)];
        }
    }

    [Fact]
    public void Forced_variants_are_chosen_and_logged()
    {
        using var device = (CudaDevice)CudaTestDevices.Float32(Forced("norm", "block"));
        Assert.Equal("block", device.Kernels["norm"]);
    }

    [Theory]
    [InlineData("norm", "quick", "no variant 'quick'")]
    [InlineData("rotary", "warp", "'rotary'")]
    [InlineData("nonsense", "warp", "'nonsense'")]
    [InlineData("attention", "flash_short", "Use one of flash, flash_tall, simt, naive")]
    public void Variants_that_do_not_exist_are_refused(string family, string variant, string message)
    {
        var error = Assert.Throws<DeviceException>(() => CudaTestDevices.BFloat16(Forced(family, variant)));
        Assert.Contains(message, error.Message, StringComparison.Ordinal);
    }

    /// <summary>What is listed is what can be forced, and what is refused says why.</summary>
    [Theory]
    [InlineData("cuda:sim")]
    [InlineData("cuda:sim:float32")]
    public void Every_listed_variant_can_be_forced_or_says_why_not(string name)
    {
        var info = Devices.List().First(device => device.Name == name);
        if (info.Refusal is { } refusal) Assert.Skip(refusal);
        Assert.Equal(["matmul", "attention", "norm"], info.Kernels.Select(family => family.Name));
        foreach (var family in info.Kernels)
        {
            foreach (var variant in family.Variants)
            {
                if (variant.Refusal is null)
                {
                    using var device = Devices.Create(name, Forced(family.Name, variant.Name));
                    Assert.Equal(variant.Name, device.Kernels[family.Name]);
                    continue;
                }

                var error = Assert.Throws<DeviceException>(() => Devices.Create(name, Forced(family.Name, variant.Name)));
                Assert.Contains(variant.Refusal, error.Message, StringComparison.Ordinal);
            }
        }
    }

    /// <summary>A GPU with 99 KiB for a block and no warpgroups.</summary>
    [Fact]
    public void A_smaller_gpu_refuses_tiles_by_what_they_need()
    {
        var matmul = CudaFamilies.List(NumberFormat.BFloat16, new CudaLimits(8, 6, 99 << 10)).First(family => family.Name == "matmul");
        Assert.Equal("square", matmul.Automatic);
        Assert.Contains("needs 144 KiB of shared memory", matmul.Variants.First(v => v.Name == "tall").Refusal, StringComparison.Ordinal);
        Assert.Contains("compute capability 9.0", matmul.Variants.First(v => v.Name == "warpgroup_wide").Refusal, StringComparison.Ordinal);
    }

    [Fact]
    public void A_row_number_out_of_range_is_named()
    {
        using var device = CudaTestDevices.Float32();
        var table = device.AllocateTensor(BufferKind.Compute, 4, 8, "test");
        var output = device.AllocateTensor(BufferKind.Compute, 2, 8, "test");
        var rows = device.AllocateIndices(2, "test");
        device.Upload([1, 4], rows);
        var error = Assert.Throws<ShapeException>(() => device.GatherRows(output, table, rows));
        Assert.Contains("row number 4", error.Message, StringComparison.Ordinal);
        foreach (var buffer in new[] { table.Buffer, output.Buffer, rows.Buffer }) buffer.Dispose();
    }

    [Fact]
    public void Parameters_that_differ_from_the_source_are_refused()
    {
        using var device = (CudaDevice)CudaTestDevices.Float32();
        var context = device.Context;
        var error = Assert.Throws<DeviceException>(() => new CudaKernel<TwoNumbers>(context, "elementwise", "fill_f32", 256));
        Assert.Contains("fill_f32", error.Message, StringComparison.Ordinal);
        Assert.Contains(string.Create(CultureInfo.InvariantCulture, $"{0}+{24}, {24}+{8}"), error.Message, StringComparison.Ordinal);
        error = Assert.Throws<DeviceException>(() => new CudaKernel<int>(context, "elementwise", "no_such_kernel", 256));
        Assert.Contains("no_such_kernel", error.Message, StringComparison.Ordinal);
    }

    private readonly record struct TwoNumbers(int First, int Second);

    private static DeviceOptions Forced(string family, string variant) =>
        new() { Kernels = new Dictionary<string, string> { [family] = variant } };
}
