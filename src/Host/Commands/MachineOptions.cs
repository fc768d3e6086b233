using RepNoise.Host.Configuration;

namespace RepNoise.Host.Commands;

/// <summary>The options of every command that computes, apart from those with a configuration file.</summary>
internal sealed class MachineOptions
{
    private const string Group = "Machine";

    public ValueOption<string?> Device { get; } = new("--device", Values.Text, "cpu", "Device to run on; see repnoise devices.", Group);

    public ValueOption<KernelChoice> Kernel { get; } = new(
        "--kernel", Values.Kernel, default, "Force a kernel family's variant, see repnoise devices --kernels; may be repeated.", Group);

    public ValueOption<int> Threads { get; } = new(
        "--threads", Values.Integer(0, "an integer, 0 or more"), 0, "Threads of the cpu device; 0 takes every core.", Group);
}
