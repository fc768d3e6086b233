using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace RepNoise.Kernels.Cpu;

/// <summary>
/// The kernels of a device, one object a family, each in the widest variant that runs here or in the one that was asked for.
/// </summary>
internal sealed partial class CpuKernels
{
    /// <summary>Families, under the names that force a variant.</summary>
    public static readonly IReadOnlyList<string> Families =
    [
        "matmul",
        "attention",
        "norm",
        "rotary",
        "swiglu",
        "embedding",
        "linear_cross_entropy",
        "mmd_gaussian",
        "adamw",
        "elementwise",
    ];

    // Widest first; 128 bits run everywhere. The product's variants go by the instruction set, as its tile does.
    private static readonly (string Matmul, string Others, bool IsSupported)[] Widths =
    [
        ("avx512", "vector512", Avx512F.IsSupported && Avx512DQ.IsSupported && Vector512.IsHardwareAccelerated),
        ("avx2", "vector256", Avx2.IsSupported && Fma.IsSupported && Vector256.IsHardwareAccelerated),
        ("vector128", "vector128", true),
    ];

    // The families that have a variant by tile registers. It is never chosen by itself: in some moments it is slower than 512-bit multiply-adds
    // (docs/kernels/matmul.md), and whether a processor has it should not show in a run's bits.
    private static readonly string[] Tiled = ["matmul", "linear_cross_entropy"];

    private const string Amx = "amx";
    private const int TileRegisters = -1;

    private readonly IReadOnlyDictionary<string, string> forced;
    private readonly Dictionary<string, string> chosen = [];

    /// <param name="context">Threads and scratch.</param>
    /// <param name="forced">Variants by family.</param>
    /// <exception cref="DeviceException">A family or variant that does not exist, or a variant that cannot run here.</exception>
    public CpuKernels(CpuContext context, IReadOnlyDictionary<string, string> forced)
    {
        foreach (string family in forced.Keys)
        {
            if (!Families.Contains(family)) throw Refused($"there is no kernel family '{family}'", Families);
        }

        this.forced = forced;
        Matmul = Width("matmul") switch
        {
            TileRegisters => new Matmul<Lanes512, AmxTile>(context),
            0 => new Matmul<Lanes512, MatmulTile<Lanes512>>(context),
            1 => new Matmul<Lanes256, MatmulTile<Lanes256>>(context),
            _ => new Matmul<Lanes128, MatmulTile<Lanes128>>(context),
        };
        Attention = Width("attention") switch
        {
            0 => new Attention<Lanes512>(context),
            1 => new Attention<Lanes256>(context),
            _ => new Attention<Lanes128>(context),
        };
        Norm = Width("norm") switch
        {
            0 => new Norm<Lanes512>(context),
            1 => new Norm<Lanes256>(context),
            _ => new Norm<Lanes128>(context),
        };
        Rotary = Width("rotary") switch
        {
            0 => new Rotary<Lanes512>(context),
            1 => new Rotary<Lanes256>(context),
            _ => new Rotary<Lanes128>(context),
        };
        Swiglu = Width("swiglu") switch
        {
            0 => new Swiglu<Lanes512>(context),
            1 => new Swiglu<Lanes256>(context),
            _ => new Swiglu<Lanes128>(context),
        };
        Embedding = Width("embedding") switch
        {
            0 => new Embedding<Lanes512>(context),
            1 => new Embedding<Lanes256>(context),
            _ => new Embedding<Lanes128>(context),
        };
        LinearCrossEntropy = Width("linear_cross_entropy") switch
        {
            TileRegisters => new LinearCrossEntropy<Lanes512, AmxTile>(context),
            0 => new LinearCrossEntropy<Lanes512, MatmulTile<Lanes512>>(context),
            1 => new LinearCrossEntropy<Lanes256, MatmulTile<Lanes256>>(context),
            _ => new LinearCrossEntropy<Lanes128, MatmulTile<Lanes128>>(context),
        };
        MmdGaussian = Width("mmd_gaussian") switch
        {
            0 => new MmdGaussian<Lanes512>(context),
            1 => new MmdGaussian<Lanes256>(context),
            _ => new MmdGaussian<Lanes128>(context),
        };
        AdamW = Width("adamw") switch
        {
            0 => new AdamW<Lanes512>(context),
            1 => new AdamW<Lanes256>(context),
            _ => new AdamW<Lanes128>(context),
        };
        Elementwise = Width("elementwise") switch
        {
            0 => new Elementwise<Lanes512>(context),
            1 => new Elementwise<Lanes256>(context),
            _ => new Elementwise<Lanes128>(context),
        };
    }

    public Matmul Matmul { get; }

    public Attention Attention { get; }

    public Norm Norm { get; }

    public Rotary Rotary { get; }

    public Swiglu Swiglu { get; }

    public Embedding Embedding { get; }

    public LinearCrossEntropy LinearCrossEntropy { get; }

    public MmdGaussian MmdGaussian { get; }

    public AdamW AdamW { get; }

    public Elementwise Elementwise { get; }

    /// <summary>The widest registers that run here: 0, 1 and 2 are 512, 256 and 128 bits.</summary>
    public static int Widest => Array.FindIndex(Widths, width => width.IsSupported);

    /// <summary>The variant of every family.</summary>
    public IReadOnlyDictionary<string, string> Chosen => chosen;

    /// <summary>The variants of a family, the widest first and what must be asked for last, each with why it cannot run here.</summary>
    private static IEnumerable<(string Name, int Index, string? Missing)> Variants(string family)
    {
        for (int i = 0; i < Widths.Length; i++)
            yield return (family == "matmul" ? Widths[i].Matmul : Widths[i].Others, i, Widths[i].IsSupported ? null : "this processor lacks its instructions");
        if (Tiled.Contains(family)) yield return (Amx, TileRegisters, AmxCode.Missing);
    }

    /// <summary>A family's variant, an index into <see cref="Widths"/> or <see cref="TileRegisters"/>; noted for the log.</summary>
    private int Width(string family)
    {
        var choice = Variants(family).First(variant => variant.Index == Widest);
        if (forced.TryGetValue(family, out string? wanted))
        {
            var variants = Variants(family).ToList();
            var usable = variants.Where(variant => variant.Missing is null).Select(variant => variant.Name);
            choice = variants.Find(variant => variant.Name == wanted);
            if (choice.Name is null) throw Refused($"kernel family {family} has no variant '{wanted}'", usable);
            if (choice.Missing is not null) throw Refused($"variant {family}={wanted} cannot run on this machine: {choice.Missing}", usable);
        }

        chosen[family] = choice.Name;
        return choice.Index;
    }

    private static DeviceException Refused(string problem, IEnumerable<string> existing) =>
        new(CpuDevice.DeviceName, problem, $"Use one of {string.Join(", ", existing)}");
}
