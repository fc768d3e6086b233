namespace RepNoise.Kernels.Cuda;

/// <summary>Family rotary.</summary>
internal sealed class Rotary(CudaContext context)
{
    private const int Threads = 128;
    private const int BlockPacks = 32; // MostPacks of rotary.cu

    private readonly CudaKernel<Arguments> turn = new(context, "rotary", $"rotary_{context.Suffix}", Threads);

    public void Run(Tensor x, Tensor cos, Tensor sin, Indices positions, bool inverse)
    {
        if (x.Length == 0) return;
        turn.Launch(new Grid(x.Rows, (int)Packs.Blocks(cos.Columns, BlockPacks * Packs.Size)), new Arguments(
            MatrixArgument.Of(x), MatrixArgument.Of(cos), MatrixArgument.Of(sin), MatrixArgument.Address(positions), inverse ? 1 : 0));
    }

    private readonly record struct Arguments(MatrixArgument X, MatrixArgument Cos, MatrixArgument Sin, nint Positions, int Inverse);
}
