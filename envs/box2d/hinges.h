// Solves the velocities of a body and two bodies that hang from it by motorized hinges, for one world or several.
//
// Box2D iterates over the hinges 180 times, and each operation depends on the previous one. Two methods are faster and
// bit-identical: every number can be a SIMD vector with a world in each lane, so that several chains run in the time of
// one; and a single world can stop when its velocities repeat.
//
// A lane repeats the operations of b2RevoluteJoint; invariants are moved out of the loop, and where Box2D branches, both
// branches are computed and one result is selected.

#pragma once

#include <cstring>

#define INLINE inline __attribute__((always_inline)) // into functions compiled for other instruction sets

template <typename F>
struct Velocity {
    F x, y, turn;
};

template <typename F>
struct Hinge {
    F motor_speed, motor_mass, motor_most;
    F limit;                                  // -1 at the lower one, 1 at the upper one, 0 between them
    F arm_a_x, arm_a_y, arm_b_x, arm_b_y;     // from the bodies' centres to the hinge
    F mass_b, turn_b;                         // inverse masses
    F xx, xy, xz, yx, yy, yz, zx, zy, zz;     // the columns of the constraint's matrix
    F impulse_x, impulse_y, impulse_z, motor; // so far
};

template <typename F>
struct Hung {
    F mass_a, turn_a; // inverse masses
    Velocity<F> body, hung[2];
    Hinge<F> hinges[2];
};

template <typename F>
class HingeSolver {
public:
    INLINE explicit HingeSolver(Hung<F>& all) : all(all), inverses{Inverse(all.hinges[0]), Inverse(all.hinges[1])} {}

    INLINE void iterate(int times)
    {
        for (int i = 0; i < times; i++) {
            push();
        }
    }

    // Computes `iterate` for one world and an even number of iterations.
    //
    // While no limit is released, impulses only accumulate: an iteration's changes depend only on velocities and motors.
    // The velocities of legs at rest in their limits repeat bit for bit after a few iterations, mostly with a period of
    // one or two; then all further changes repeat, too.
    INLINE void settle(int times)
    {
        for (int i = 0; i < times; i += 2) {
            const Moved before = moved();
            const Pushes first = push(), second = push();
            const Moved after = moved();
            if (std::memcmp(&before, &after, sizeof after) == 0) {
                while (i + 2 < times && holds(0, first, second) && holds(1, first, second)) {
                    add(first);
                    add(second);
                    i += 2;
                }
            }
        }
    }

private:
    struct Inverse {
        F cross_x, cross_y, cross_z, of_three, of_two;

        INLINE explicit Inverse(const Hinge<F>& h)
            : cross_x(h.yy * h.zz - h.yz * h.zy), cross_y(h.yz * h.zx - h.yx * h.zz),
              cross_z(h.yx * h.zy - h.yy * h.zx),
              of_three(1.0f / (h.xx * cross_x + h.xy * cross_y + h.xz * cross_z)),
              of_two(1.0f / (h.xx * h.yy - h.yx * h.xy))
        {
        }
    };

    // The inputs of an iteration, without the impulses that it only adds to.
    struct Moved {
        Velocity<F> body, hung[2];
        F motors[2];
    };

    struct Push {
        F x, y, z;
        decltype(F{} > F{}) lets_go;
    };

    struct Pushes {
        Push at[2];
    };

    Hung<F>& all;
    Inverse inverses[2];

    INLINE Moved moved() const
    {
        return {all.body, {all.hung[0], all.hung[1]}, {all.hinges[0].motor, all.hinges[1].motor}};
    }

    // Returns whether this hinge's limit would hold through two more iterations like these.
    INLINE bool holds(int i, const Pushes& first, const Pushes& second) const
    {
        const Hinge<F>& h = all.hinges[i];
        const F once = h.impulse_z + first.at[i].z, twice = once + second.at[i].z;
        return !(first.at[i].lets_go || second.at[i].lets_go || h.limit * once > 0.0f || h.limit * twice > 0.0f);
    }

    INLINE void add(const Pushes& pushes)
    {
        for (int i = 0; i < 2; i++) {
            all.hinges[i].impulse_x += pushes.at[i].x;
            all.hinges[i].impulse_y += pushes.at[i].y;
            all.hinges[i].impulse_z += pushes.at[i].z;
        }
    }

    INLINE Pushes push()
    {
        const Push first = push(all.hinges[0], inverses[0], all.hung[0]);
        const Push second = push(all.hinges[1], inverses[1], all.hung[1]);
        return {{first, second}};
    }

    INLINE Push push(Hinge<F>& h, const Inverse& inverse, Velocity<F>& b)
    {
        Velocity<F>& a = all.body;

        F motor = h.motor + -h.motor_mass * (b.turn - a.turn - h.motor_speed);
        motor = motor < h.motor_most ? motor : h.motor_most;
        motor = -h.motor_most > motor ? -h.motor_most : motor;
        const F torque = motor - h.motor;
        h.motor = motor;
        a.turn -= all.turn_a * torque;
        b.turn += h.turn_b * torque;

        const F x = b.x + -b.turn * h.arm_b_y - a.x - -a.turn * h.arm_a_y;
        const F y = b.y + b.turn * h.arm_b_x - a.y - a.turn * h.arm_a_x;
        const F z = b.turn - a.turn;

        // if the limit holds
        const F all_x = -(inverse.of_three * (x * inverse.cross_x + y * inverse.cross_y + z * inverse.cross_z));
        const F all_y = -(inverse.of_three * (h.xx * (y * h.zz - z * h.zy) + h.xy * (z * h.zx - x * h.zz) +
                                              h.xz * (x * h.zy - y * h.zx)));
        const F all_z = -(inverse.of_three * (h.xx * (h.yy * z - h.yz * y) + h.xy * (h.yz * x - h.yx * z) +
                                              h.xz * (h.yx * y - h.yy * x)));
        const auto limited = h.limit != 0.0f;
        const F held = h.impulse_z + all_z;
        const auto lets_go = h.limit * held > 0.0f;

        // if there is no limit, or it is released
        const F nothing = -F{}; // -0, so that adding it keeps the sign of a zero
        const F rest_x = -x + (limited ? h.impulse_z * h.zx : nothing);
        const F rest_y = -y + (limited ? h.impulse_z * h.zy : nothing);
        const F two_x = inverse.of_two * (h.yy * rest_x - h.yx * rest_y);
        const F two_y = inverse.of_two * (h.xx * rest_y - h.xy * rest_x);

        const Push p{
            limited ? (lets_go ? two_x : all_x) : two_x,
            limited ? (lets_go ? two_y : all_y) : two_y,
            limited ? (lets_go ? -h.impulse_z : all_z) : nothing,
            lets_go,
        };
        h.impulse_x += p.x;
        h.impulse_y += p.y;
        h.impulse_z = limited ? (lets_go ? F{} : held) : h.impulse_z;

        a.x -= all.mass_a * p.x;
        a.y -= all.mass_a * p.y;
        a.turn -= all.turn_a * (h.arm_a_x * p.y - h.arm_a_y * p.x + p.z);
        b.x += h.mass_b * p.x;
        b.y += h.mass_b * p.y;
        b.turn += h.turn_b * (h.arm_b_x * p.y - h.arm_b_y * p.x + p.z);
        return p;
    }
};

// Four worlds in SSE2, which every x86-64 processor has, or eight in AVX2, which rounds identically; fused operations
// would not, and are disabled.
typedef float Lanes4 __attribute__((vector_size(16)));
typedef float Lanes8 __attribute__((vector_size(32)));

template <typename F>
INLINE void solve_in_lanes(Hung<float>* worlds, size_t count, int times)
{
    const size_t LANES = sizeof(F) / sizeof(float);
    const size_t FIELDS = sizeof(Hung<float>) / sizeof(float);
    float narrow[FIELDS], wide[FIELDS][LANES];
    for (size_t lane = 0; lane < LANES; lane++) {
        std::memcpy(narrow, &worlds[lane < count ? lane : 0], sizeof narrow);
        for (size_t i = 0; i < FIELDS; i++) {
            wide[i][lane] = narrow[i];
        }
    }
    Hung<F> lanes;
    std::memcpy(&lanes, wide, sizeof lanes);
    HingeSolver<F>(lanes).iterate(times);
    std::memcpy(wide, &lanes, sizeof lanes);
    for (size_t lane = 0; lane < count; lane++) {
        for (size_t i = 0; i < FIELDS; i++) {
            narrow[i] = wide[i][lane];
        }
        std::memcpy(&worlds[lane], narrow, sizeof narrow);
    }
}

inline void solve_4(Hung<float>* worlds, size_t count, int times) { solve_in_lanes<Lanes4>(worlds, count, times); }

__attribute__((target("avx2"))) inline void solve_8(Hung<float>* worlds, size_t count, int times)
{
    solve_in_lanes<Lanes8>(worlds, count, times);
}

// Solves any number of worlds, with an even number of iterations.
inline void solve(Hung<float>* worlds, size_t count, int times)
{
    const bool wide = __builtin_cpu_supports("avx2");
    const size_t most = wide ? 8 : 4;
    while (count > 1) {
        const size_t part = count < most ? count : most;
        (wide ? solve_8 : solve_4)(worlds, part, times);
        worlds += part;
        count -= part;
    }
    if (count == 1) {
        HingeSolver<float>(*worlds).settle(times);
    }
}
