using RepNoise.Kernels;
using RepNoise.Kernels.Tests;

namespace RepNoise.Ilgpu.Tests;

/// <summary>
/// Every family on ILGPU's CPU accelerator at a few small shapes of the conformance suite: what a person sees who steps through
/// a kernel in a debugger. Each thread of a kernel is one of the system's there, too slow for the whole suite, which runs on the
/// libcuda stand-in. A fault in a kernel ends the process, hence a process of its own; <see cref="FaultReport"/> names the kernel.
/// </summary>
public sealed class CpuAcceleratorTests
{
    [Fact]
    public void Embedding()
    {
        var cases = new CpuEmbedding();
        cases.Gather_copies_rows(9, 64, 32);
        cases.Scatter_adds_repeated_rows(9, 64, 32, BufferKind.State);
        cases.Scatter_takes_a_factor_from_the_device(17, 33, 6);
    }

    [Fact]
    public void Norm()
    {
        var cases = new CpuNorm();
        cases.Forward_normalises_each_group(5, 1, 123);
        cases.Backward_writes_dX(9, 4, 16);
        cases.Backward_may_overwrite_dOutput(5, 1, 123, accumulate: false);
    }

    [Theory]
    [InlineData(MatmulForm.NN)]
    [InlineData(MatmulForm.NT)]
    [InlineData(MatmulForm.TN)]
    public void Matmul(MatmulForm form)
    {
        var cases = new CpuMatmul();
        cases.Product_is_written(form, 15, 33, 31);
        cases.Product_is_added_to_state(form, 33, 65, 17);
        cases.Bias_is_added_to_every_row(form, 7, 64, 48, accumulate: true);
    }

    [Fact]
    public void Bias() => new CpuMatmul().Bias_gradient_sums_the_rows(65, 257);

    [Fact]
    public void Rotary()
    {
        var cases = new CpuRotary();
        cases.Heads_turn_by_their_position(9, 3, 16);
        cases.Inverse_turns_back(5, 1, 10);
    }

    [Fact]
    public void Attention()
    {
        var cases = new CpuAttention();
        cases.Forward_with_grouped_heads(5, 1, 10);
        cases.Backward_of_a_sequence(17);
        cases.Answers_share_a_prompt(9, 7, 5, 0, 2);
    }

    [Fact]
    public void Swiglu()
    {
        var cases = new CpuSwiglu();
        cases.Forward_gates(5, 123);
        cases.Backward_may_overwrite_gate_and_up(5, 123);
    }

    [Fact]
    public void Linear_cross_entropy()
    {
        var cases = new CpuLinearCrossEntropy();
        cases.Losses_alone(7, 16, 37, 256);
        cases.Losses_and_gradients(16, 8, 33, 16);
    }

    [Fact]
    public void Mmd_gaussian()
    {
        var cases = new CpuMmdGaussian();
        cases.Forward_with_counter_noise(4, 9, 32);
        cases.Backward_with_buffered_noise(2, 1, 6);
        cases.Counter_and_buffer_give_the_same_bits(3, 16, 65);
    }

    [Fact]
    public void AdamW()
    {
        var cases = new CpuAdamW();
        cases.Steps_of_AdamW(5, 123);
        cases.Steps_of_Adam(7, 64);
        cases.Squared_norm_adds_up(33, 257);
        cases.Clip_factor_bounds_the_norm(9, 1, 1);
    }

    [Fact]
    public void Elementwise()
    {
        var cases = new CpuElementwise();
        cases.Fill_sets_every_element(BufferKind.Scalar);
        cases.Copy_rounds_to_the_target(BufferKind.Scalar, BufferKind.State);
        cases.Scaled_addition_with_a_factor_on_the_device(5, 123);
        cases.Sum_runs_in_doubles(33, 257);
        cases.Ascent_and_its_reciprocal(6, 5, 1);
    }

    [Fact]
    public void Transfer()
    {
        var cases = new CpuTransfer();
        cases.Memory_starts_at_zero_and_is_counted(BufferKind.State);
        cases.Doubles_are_rounded_to_the_format(BufferKind.Compute);
        cases.Views_are_downloaded_row_by_row(BufferKind.Scalar);
        cases.Memory_beyond_the_machine_is_refused();
    }

    private static Device CreateDevice() => Devices.Create("ilgpu:cpu");

    private sealed class CpuEmbedding : EmbeddingConformance
    {
        protected override IReadOnlyList<int> ThreadCounts => [1];

        protected override Device Create(int threads) => CreateDevice();
    }

    private sealed class CpuNorm : NormConformance
    {
        protected override IReadOnlyList<int> ThreadCounts => [1];

        protected override Device Create(int threads) => CreateDevice();
    }

    private sealed class CpuMatmul : MatmulConformance
    {
        protected override IReadOnlyList<int> ThreadCounts => [1];

        protected override Device Create(int threads) => CreateDevice();
    }

    private sealed class CpuRotary : RotaryConformance
    {
        protected override IReadOnlyList<int> ThreadCounts => [1];

        protected override Device Create(int threads) => CreateDevice();
    }

    private sealed class CpuAttention : AttentionConformance
    {
        protected override IReadOnlyList<int> ThreadCounts => [1];

        protected override Device Create(int threads) => CreateDevice();
    }

    private sealed class CpuSwiglu : SwigluConformance
    {
        protected override IReadOnlyList<int> ThreadCounts => [1];

        protected override Device Create(int threads) => CreateDevice();
    }

    private sealed class CpuLinearCrossEntropy : LinearCrossEntropyConformance
    {
        protected override IReadOnlyList<int> ThreadCounts => [1];

        protected override Device Create(int threads) => CreateDevice();
    }

    private sealed class CpuMmdGaussian : MmdGaussianConformance
    {
        protected override IReadOnlyList<int> ThreadCounts => [1];

        protected override Device Create(int threads) => CreateDevice();
    }

    private sealed class CpuAdamW : AdamWConformance
    {
        protected override IReadOnlyList<int> ThreadCounts => [1];

        protected override Device Create(int threads) => CreateDevice();
    }

    private sealed class CpuElementwise : ElementwiseConformance
    {
        protected override IReadOnlyList<int> ThreadCounts => [1];

        protected override Device Create(int threads) => CreateDevice();
    }

    private sealed class CpuTransfer : TransferConformance
    {
        protected override IReadOnlyList<int> ThreadCounts => [1];

        protected override Device Create(int threads) => CreateDevice();
    }
}
