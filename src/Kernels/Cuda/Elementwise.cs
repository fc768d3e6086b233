namespace RepNoise.Kernels.Cuda;

/// <summary>Family elementwise. Sums are made in two stages, of which the number of parts follows from the shape alone.</summary>
internal sealed class Elementwise
{
    private const string Family = "elementwise";
    private const int Threads = 256;
    private const int SingleThread = 32;
    private const int MostParts = 512;

    private static readonly NumberFormat[] Formats = [NumberFormat.BFloat16, NumberFormat.Float32, NumberFormat.Float64];

    /// <summary>Scratch memory of a sum: the most parts there are.</summary>
    public const long ScratchBytes = MostParts * sizeof(double);

    private readonly CudaContext context;
    private readonly Dictionary<NumberFormat, CudaKernel<FillArguments>> fill;
    private readonly Dictionary<(NumberFormat, NumberFormat), CudaKernel<CopyArguments>> copy;
    private readonly Dictionary<(NumberFormat, NumberFormat), CudaKernel<AddScaledArguments>> addScaled;
    private readonly Dictionary<NumberFormat, CudaKernel<PartialArguments>> partial;
    private readonly CudaKernel<FinishArguments> finish;
    private readonly CudaKernel<ClipArguments> clip;
    private readonly CudaKernel<AscentArguments> ascent;

    public Elementwise(CudaContext context)
    {
        this.context = context;
        fill = Formats.ToDictionary(format => format, format => Kernel<FillArguments>($"fill_{CudaContext.SuffixOf(format)}"));
        partial = Formats.ToDictionary(format => format, format => Kernel<PartialArguments>($"sum_partial_{CudaContext.SuffixOf(format)}"));
        copy = Pairs(_ => true).ToDictionary(pair => pair, pair => Kernel<CopyArguments>($"copy_{Name(pair)}"));
        addScaled = Pairs(pair => (pair.From == NumberFormat.Float64) == (pair.To == NumberFormat.Float64))
            .ToDictionary(pair => pair, pair => Kernel<AddScaledArguments>($"add_scaled_{Name(pair)}"));
        finish = Kernel<FinishArguments>("sum_finish");
        clip = new CudaKernel<ClipArguments>(context, Family, "clip_factor", SingleThread);
        ascent = new CudaKernel<AscentArguments>(context, Family, "ascent_value", SingleThread);
    }

    public void Fill(Tensor target, double value)
    {
        bool flat = Packs.CanFlatten(target);
        var to = Packs.Argument(target, flat);
        fill[MatrixArgument.FormatOf(target)].Launch(Packs.Over(to.Rows, to.Columns, Threads), new FillArguments(to, value));
    }

    public void Copy(Tensor target, Tensor source)
    {
        bool flat = Packs.CanFlatten(target, source);
        var (to, from) = (Packs.Argument(target, flat), Packs.Argument(source, flat));
        copy[(MatrixArgument.FormatOf(source), MatrixArgument.FormatOf(target))]
            .Launch(Packs.Over(to.Rows, to.Columns, Threads), new CopyArguments(to, from));
    }

    public void AddScaled(Tensor target, Tensor source, double factor, Tensor deviceFactor)
    {
        bool flat = Packs.CanFlatten(target, source);
        var (to, from) = (Packs.Argument(target, flat), Packs.Argument(source, flat));
        if (!addScaled.TryGetValue((MatrixArgument.FormatOf(source), MatrixArgument.FormatOf(target)), out var kernel))
            throw new DeviceException(context.DeviceName, "AddScaled of scalars to other numbers, or the other way round", "Add tensors of one kind");
        kernel.Launch(Packs.Over(to.Rows, to.Columns, Threads), new AddScaledArguments(to, from, factor, context.FactorAddress(deviceFactor)));
    }

    /// <summary>result = constant + factor * sum(values).</summary>
    public void Sum(Tensor result, Tensor values, double factor, double constant) =>
        Reduce(result, values, squared: false, accumulate: false, factor, constant);

    /// <summary>result += sum(values^2).</summary>
    public void AddSquares(Tensor result, Tensor values) => Reduce(result, values, squared: true, accumulate: true, 1, 0);

    public void ClipFactor(Tensor result, Tensor squaredNorm, double maxNorm, double scale) => clip.Launch(
        new Grid(1), new ClipArguments(MatrixArgument.Address(result), MatrixArgument.Address(squaredNorm), maxNorm, scale));

    public void AscentValue(Tensor result, Tensor terms, double divisor, double offset) => ascent.Launch(
        new Grid(1), new AscentArguments(MatrixArgument.Address(result), MatrixArgument.Address(terms), divisor, offset, terms.Columns));

    private void Reduce(Tensor result, Tensor values, bool squared, bool accumulate, double factor, double constant)
    {
        var from = Packs.Argument(values, Packs.CanFlatten(values));
        var grid = Packs.Over(from.Rows, from.Columns, Threads, MostParts);
        int parts = grid.X * grid.Y;
        nint partials = context.Scratch(ScratchBytes);
        partial[MatrixArgument.FormatOf(values)].Launch(grid, new PartialArguments(partials, from, squared ? 1 : 0));
        finish.Launch(new Grid(1), new FinishArguments(MatrixArgument.Address(result), partials, parts, accumulate ? 1 : 0, factor, constant));
    }

    private static IEnumerable<(NumberFormat From, NumberFormat To)> Pairs(Func<(NumberFormat From, NumberFormat To), bool> exists) =>
        Formats.SelectMany(from => Formats.Select(to => (from, to))).Where(exists);

    private static string Name((NumberFormat From, NumberFormat To) pair) =>
        $"{CudaContext.SuffixOf(pair.From)}_to_{CudaContext.SuffixOf(pair.To)}";

    private CudaKernel<T> Kernel<T>(string symbol)
        where T : unmanaged => new(context, Family, symbol, Threads);

    private readonly record struct FillArguments(MatrixArgument Target, double Value);

    private readonly record struct CopyArguments(MatrixArgument Target, MatrixArgument Source);

    private readonly record struct AddScaledArguments(MatrixArgument Target, MatrixArgument Source, double Factor, nint DeviceFactor);

    private readonly record struct PartialArguments(nint Partials, MatrixArgument Values, int Squared);

    private readonly record struct FinishArguments(nint Result, nint Partials, int Count, int Accumulate, double Factor, double Constant);

    private readonly record struct ClipArguments(nint Result, nint SquaredNorm, double MaxNorm, double Scale);

    private readonly record struct AscentArguments(nint Result, nint Terms, double Divisor, double Offset, int Count);
}
