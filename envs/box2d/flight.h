// A step of b2World in two parts, so that the velocities of several worlds can be solved together between them.
//
// It repeats the operations of b2World::Step, b2World::Solve and b2Island::Solve in their order, for three bodies and two
// joints without contacts; with contacts, Box2D solves the step. It needs access to private members of Box2D.

#pragma once

#include <Box2D/Box2D.h>

#include <algorithm>
#include <array>

#include "hinges.h"

const float32 TIME = float32(1.0 / 50); // seconds per step
const int VELOCITY_ITERATIONS = 6 * 30;
const int POSITION_ITERATIONS = 2 * 30;

class Flight {
public:
    // The joints connect the second and third body to the first; both are in the order of Box2D's islands.
    void take(b2World* world, const std::array<b2Body*, 3>& bodies, const std::array<b2RevoluteJoint*, 2>& joints)
    {
        this->world = world;
        this->bodies = bodies;
        this->joints = joints;
    }

    // Starts a step, and returns whether the caller must solve the velocities and call `finish`.
    bool begin()
    {
        if (world->m_flags & b2World::e_newFixture) {
            world->m_contactManager.FindNewContacts();
            world->m_flags &= ~b2World::e_newFixture;
        }
        world->m_contactManager.Collide();
        if (!flies()) {
            world->Solve(time());
            end();
            return false;
        }
        for (int i = 0; i < 3; i++) {
            b2Body* body = bodies[i];
            body->m_islandIndex = i;
            body->m_sweep.c0 = body->m_sweep.c;
            body->m_sweep.a0 = body->m_sweep.a;
            positions[i].c = body->m_sweep.c;
            positions[i].a = body->m_sweep.a;
            velocities[i].v = body->m_linearVelocity + TIME * (world->m_gravity + body->m_invMass * body->m_force);
            velocities[i].w = body->m_angularVelocity + TIME * body->m_invI * body->m_torque;
        }
        const b2SolverData data = solver_data();
        for (b2RevoluteJoint* joint : joints) {
            joint->InitVelocityConstraints(data);
        }
        return true;
    }

    Hung<float> unsolved() const
    {
        return {
            bodies[0]->m_invMass, bodies[0]->m_invI, velocity(0), {velocity(1), velocity(2)}, {hinge(0), hinge(1)},
        };
    }

    void finish(const Hung<float>& solved)
    {
        take_velocity(0, solved.body);
        for (int i = 0; i < 2; i++) {
            const Hinge<float>& hinge = solved.hinges[i];
            take_velocity(1 + i, solved.hung[i]);
            joints[i]->m_impulse.Set(hinge.impulse_x, hinge.impulse_y, hinge.impulse_z);
            joints[i]->m_motorImpulse = hinge.motor;
        }
        for (int i = 0; i < 3; i++) {
            move(positions[i], velocities[i]);
        }
        const bool fits = solve_positions();
        for (int i = 0; i < 3; i++) {
            b2Body* body = bodies[i];
            body->m_sweep.c = positions[i].c;
            body->m_sweep.a = positions[i].a;
            body->m_linearVelocity = velocities[i].v;
            body->m_angularVelocity = velocities[i].w;
            body->SynchronizeTransform();
        }
        rest(fits);
        for (b2Body* body = world->m_bodyList; body; body = body->m_next) {
            if (body->m_type != b2_staticBody) {
                body->SynchronizeFixtures();
            }
        }
        world->m_contactManager.FindNewContacts();
        end();
    }

private:
    b2World* world;
    std::array<b2Body*, 3> bodies;
    std::array<b2RevoluteJoint*, 2> joints;
    b2Position positions[3];
    b2Velocity velocities[3];

    bool flies() const
    {
        for (const b2Contact* contact = world->m_contactManager.m_contactList; contact; contact = contact->m_next) {
            if (contact->IsTouching()) {
                return false;
            }
        }
        return std::all_of(bodies.begin(), bodies.end(), [](const b2Body* body) { return body->IsAwake(); });
    }

    b2TimeStep time() const
    {
        return {TIME, 1 / TIME, world->m_inv_dt0 * TIME, VELOCITY_ITERATIONS, POSITION_ITERATIONS, true};
    }

    b2SolverData solver_data() { return {time(), positions, velocities}; }

    Velocity<float> velocity(int i) const { return {velocities[i].v.x, velocities[i].v.y, velocities[i].w}; }

    void take_velocity(int i, const Velocity<float>& velocity)
    {
        velocities[i].v.Set(velocity.x, velocity.y);
        velocities[i].w = velocity.turn;
    }

    Hinge<float> hinge(int i) const
    {
        const b2RevoluteJoint& j = *joints[i];
        const b2Vec3 &x = j.m_mass.ex, &y = j.m_mass.ey, &z = j.m_mass.ez;
        const float limit = j.m_limitState == e_atLowerLimit ? -1 : j.m_limitState == e_atUpperLimit ? 1 : 0;
        return {
            j.m_motorSpeed, j.m_motorMass, TIME * j.m_maxMotorTorque,
            limit,
            j.m_rA.x, j.m_rA.y, j.m_rB.x, j.m_rB.y,
            j.m_invMassB, j.m_invIB,
            x.x, x.y, x.z, y.x, y.y, y.z, z.x, z.y, z.z,
            j.m_impulse.x, j.m_impulse.y, j.m_impulse.z, j.m_motorImpulse,
        };
    }

    // Moves a body, at most as far as Box2D allows in a step.
    static void move(b2Position& position, b2Velocity& velocity)
    {
        const b2Vec2 way = TIME * velocity.v;
        if (b2Dot(way, way) > b2_maxTranslationSquared) {
            velocity.v *= b2_maxTranslation / way.Length();
        }
        const float32 turn = TIME * velocity.w;
        if (turn * turn > b2_maxRotationSquared) {
            velocity.w *= b2_maxRotation / b2Abs(turn);
        }
        position.c += TIME * velocity.v;
        position.a += TIME * velocity.w;
    }

    // Returns whether the positions converged.
    bool solve_positions()
    {
        const b2SolverData data = solver_data();
        for (int i = 0; i < POSITION_ITERATIONS; i++) {
            const bool first = joints[0]->SolvePositionConstraints(data);
            const bool second = joints[1]->SolvePositionConstraints(data);
            if (first && second) {
                return true;
            }
        }
        return false;
    }

    // Puts all bodies to sleep if they have hardly moved for a while.
    void rest(bool fits)
    {
        const float32 turn = b2_angularSleepTolerance * b2_angularSleepTolerance;
        const float32 speed = b2_linearSleepTolerance * b2_linearSleepTolerance;
        float32 shortest = b2_maxFloat;
        for (b2Body* body : bodies) {
            const b2Vec2 v = body->m_linearVelocity;
            const float32 w = body->m_angularVelocity;
            body->m_sleepTime = w * w > turn || b2Dot(v, v) > speed ? 0 : body->m_sleepTime + TIME;
            shortest = b2Min(shortest, body->m_sleepTime);
        }
        if (shortest >= b2_timeToSleep && fits) {
            for (b2Body* body : bodies) {
                body->SetAwake(false);
            }
        }
    }

    void end()
    {
        world->SolveTOI(time());
        world->m_inv_dt0 = 1 / TIME;
        world->ClearForces();
    }
};
