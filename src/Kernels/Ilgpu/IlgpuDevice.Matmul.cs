using ILGPU;
using ILGPU.Runtime;
using RepNoise.Kernels.Ilgpu.Code;

namespace RepNoise.Kernels.Ilgpu;

/// <summary>
/// Family matmul: which tile, and into how many stretches of the inner dimension a product with few tiles is split so that
/// every multiprocessor has work. Both follow from the shape and the accelerator alone. Variants: tile128, tile64.
/// </summary>
public sealed partial class IlgpuDevice
{
    private const int SmallTile = 64;
    private const int LargeTile = 128;
    private const string SmallVariant = "tile64";
    private const string LargeVariant = "tile128";

    /// <summary>Floats of the partial products of a split: 16 MiB.</summary>
    private const int SplitLength = 4 << 20;

    /// <summary>Least inner elements of a split: enough that writing and adding its tile costs little beside computing it.</summary>
    private const int MinDepth = 128;

    /// <summary>Splits begin at multiples of this, the larger of the kernels' inner steps.</summary>
    private const int DepthUnit = 8;

    /// <summary>Groups that a multiprocessor of a GPU can hold: by their registers, 8 of 64 threads or 2 of 256.</summary>
    private const int SmallGroups = 8;
    private const int LargeGroups = 2;

    /// <summary>Kernel families that have variants on an accelerator; the shape decides where none is forced.</summary>
    internal static IReadOnlyList<KernelFamily> Families(AcceleratorKind kind) =>
    [
        new("matmul", [nameof(Matmul), nameof(LinearCrossEntropy)],
        [
            new(LargeVariant, kind == AcceleratorKind.Cpu ? "its groups have 64 threads at most" : null), new(SmallVariant, null),
        ]),
    ];

    protected override void MatmulCore(Tensor c, Tensor a, Tensor b, MatmulForm form, bool accumulate, Tensor bias)
    {
        if (c.Length == 0) return;
        int inner = MatmulShape(a, b, form).K;
        var left = form == MatmulForm.TN
            ? new MatmulOperand(View(a).Data, a.Columns, 1, a.RowStride)
            : new MatmulOperand(View(a).Data, a.Rows, a.RowStride, 1);
        var right = form == MatmulForm.NT
            ? new MatmulOperand(View(b).Data, b.Rows, b.RowStride, 1)
            : new MatmulOperand(View(b).Data, b.Columns, 1, b.RowStride);
        // Of an empty sum the kernel adds nothing but looks at one element, which need not exist.
        if (inner == 0) left = right = new MatmulOperand(View(c).Data, 0, 0, 0);

        var (isLarge, splits) = Choose(c, inner);
        int depth = (inner + splits - 1) / splits;
        depth = (depth + DepthUnit - 1) / DepthUnit * DepthUnit;
        var target = View(c);
        var added = bias.IsEmpty ? target.Data : View(bias).Data;
        int isAdded = accumulate ? 1 : 0, hasBias = bias.IsEmpty ? 0 : 1;
        if (splits == 1)
        {
            Multiply(isLarge, 1, left, right, target, added, inner, inner, isAdded, hasBias);
            return;
        }

        splits = (inner + depth - 1) / depth;
        var partials = new Matrix(splitProducts.View, c.Rows, c.Columns, c.Columns);
        Multiply(isLarge, splits, left, right, partials, added, inner, depth, isAdded: 0, hasBias: 0);
        kernels.AddSplits(Stream, Elements(c.Rows, c.Columns), target, partials, added, splits, isAdded, hasBias);
    }

    private void Multiply(
        bool isLarge, int splits, MatmulOperand a, MatmulOperand b, Matrix c, ArrayView<float> bias, int inner, int depth, int isAdded,
        int hasBias)
    {
        int tile = isLarge ? LargeTile : SmallTile, side = tile / 8;
        var grid = Plane(Tiles(c.Rows, c.Columns, tile), splits, side * side);
        if (isLarge) kernels.Tile128(Stream, grid, a, b, c, bias, inner, depth, isAdded, hasBias);
        else kernels.Tile64(Stream, grid, a, b, c, bias, inner, depth, isAdded, hasBias);
    }

    /// <summary>The large tile, which does twice the work per byte, wherever it keeps all multiprocessors busy; else the small one.</summary>
    private (bool IsLarge, int Splits) Choose(Tensor c, int inner)
    {
        if (IsCpu) return (false, 1);
        int large = Tiles(c.Rows, c.Columns, LargeTile), small = Tiles(c.Rows, c.Columns, SmallTile);
        int processors = Runtime.Accelerator.NumMultiprocessors;
        int largeSplits = Splits(c, inner, large, processors, LargeGroups), smallSplits = Splits(c, inner, small, processors, SmallGroups);
        bool isLarge = matmulVariant is null ? (long)large * largeSplits >= processors : matmulVariant == LargeVariant;
        return isLarge ? (true, largeSplits) : (false, smallSplits);
    }

    private static int Splits(Tensor c, int inner, int tiles, int processors, int groups)
    {
        if (tiles >= processors) return 1;
        long most = Math.Min(inner / MinDepth, SplitLength / c.Length);
        return (int)Math.Clamp(most, 1, Math.Max(1, groups * processors / tiles));
    }

    private static int Tiles(int rows, int columns, int tile) => checked((rows + tile - 1) / tile * ((columns + tile - 1) / tile));

    /// <summary>The forced variant of the one family that has several; null where the shape shall decide.</summary>
    private string? MatmulVariant(IReadOnlyDictionary<string, string> forced)
    {
        string[] usable = [.. Families(Runtime.Kind)[0].Variants.Where(variant => variant.Refusal is null).Select(variant => variant.Name)];
        foreach (var (family, variant) in forced)
        {
            if (family != "matmul") throw Refused($"kernel family {family} has no variants to choose", "Leave it out");
            if (!usable.Contains(variant)) throw Refused($"kernel family {family} has no variant '{variant}' here", $"Use one of {string.Join(", ", usable)}");
        }

        return forced.GetValueOrDefault("matmul");
    }

    private DeviceException Refused(string problem, string remedy) => new(Name, problem, remedy);
}
