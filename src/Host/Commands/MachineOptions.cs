using System.CommandLine;
using RepNoise.Host.Configuration;

namespace RepNoise.Host.Commands;

/// <summary>On what a command computes; what its options are derived from.</summary>
internal abstract record MachineChoice
{
    public string Device { get; init; } = "cpu";

    /// <summary>Threads of the cpu device; 0 takes every core.</summary>
    public int Threads { get; init; }

    /// <summary>Forced kernel variants; empty leaves every choice to the device.</summary>
    public IReadOnlyList<KernelChoice> Kernels { get; init; } = [];
}

/// <summary>The options of every command that computes, apart from those with a configuration file.</summary>
internal sealed class MachineOptions
{
    private const string Group = "Machine";

    public ValueOption<string?> Device { get; } = new("--device", Values.Text, "cpu", "Device to run on; see repnoise devices.", Group);

    public ValueOption<KernelChoice> Kernel { get; } = new(
        "--kernel", Values.Kernel, default, "Force a kernel family's variant, see repnoise devices --kernels; may be repeated.", Group);

    public ValueOption<int> Threads { get; } = new(
        "--threads", Values.Integer(0, "an integer, 0 or more"), 0, "Threads of the cpu device; 0 takes every core.", Group);

    /// <summary>All of them, for a command that reads them with <see cref="Read"/>.</summary>
    public Option[] Symbols => [Device.Symbol, Threads.Symbol, Kernel.Symbol];

    /// <summary>The options with what the line says of the machine.</summary>
    public T Read<T>(ParseResult line, T options)
        where T : MachineChoice => (T)((MachineChoice)options with
        {
            Device = Device.Read(line)!,
            Threads = Threads.Read(line),
            Kernels = Kernel.ReadAll(line),
        });
}
