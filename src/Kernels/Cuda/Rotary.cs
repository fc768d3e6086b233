namespace RepNoise.Kernels.Cuda;

/// <summary>Family rotary.</summary>
internal sealed class Rotary(CudaContext context)
{
    private const int Threads = 128;
    private const int MostBlocks = 4096;

    private readonly CudaKernel<Arguments> turn = new(context, "rotary", $"rotary_{context.Suffix}", Threads);

    public void Run(Tensor x, Tensor cos, Tensor sin, Indices positions, bool inverse)
    {
        int half = cos.Columns, heads = x.Columns / (2 * half), packs = (half + Packs.Size - 1) / Packs.Size;
        if (x.Length == 0) return;
        int blocks = (int)Packs.Blocks((long)heads * packs, Threads);
        turn.Launch(new Grid(blocks, Math.Min(x.Rows, MostBlocks)), new Arguments(
            MatrixArgument.Of(x), MatrixArgument.Of(cos), MatrixArgument.Of(sin), MatrixArgument.Address(positions), inverse ? 1 : 0));
    }

    private readonly record struct Arguments(MatrixArgument X, MatrixArgument Cos, MatrixArgument Sin, nint Positions, int Inverse);
}
