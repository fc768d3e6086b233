namespace RepNoise.Kernels.Cuda;

/// <summary>Family matmul. Variants: <c>naive</c>, a thread per element.</summary>
internal sealed class Matmul
{
    private const string Family = "matmul";
    private const int Side = 16;

    private readonly CudaKernel<NaiveArguments> naiveToCompute;
    private readonly CudaKernel<NaiveArguments> naiveToState;

    public Matmul(CudaContext context, CudaVariants variants)
    {
        _ = variants.Choose(Family, ["naive"], "naive");
        naiveToCompute = new CudaKernel<NaiveArguments>(context, "matmul_naive", $"matmul_naive_{context.Suffix}_to_{context.Suffix}", Side * Side);
        naiveToState = new CudaKernel<NaiveArguments>(context, "matmul_naive", $"matmul_naive_{context.Suffix}_to_f32", Side * Side);
    }

    public void Run(Tensor c, Tensor a, Tensor b, MatmulForm form, bool accumulate, Tensor bias)
    {
        var kernel = c.Buffer.Kind == BufferKind.Compute ? naiveToCompute : naiveToState;
        kernel.Launch(new Grid((int)Packs.Blocks(c.Columns, Side), (int)Packs.Blocks(c.Rows, Side)), new NaiveArguments(
            MatrixArgument.Of(c), MatrixArgument.Of(a), MatrixArgument.Of(b), MatrixArgument.Address(bias), (int)form, accumulate ? 1 : 0));
    }

    private readonly record struct NaiveArguments(MatrixArgument C, MatrixArgument A, MatrixArgument B, nint Bias, int Form, int Accumulate);
}
